"""What OpenTelemetry's variables say."""
