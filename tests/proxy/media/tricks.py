"""Addresses that parsers read in different ways, and what is read of each: the host, or nothing.

`tests/e2e/test_addresses.py` lets the real engines read the same ones.
"""

from __future__ import annotations

#: What is read.
READ: dict[str, str] = {
    "http://good.example/x": "good.example",
    "HTTPS://GOOD.Example/x": "good.example",
    "https://good.example:8443/x": "good.example",
    "http://good.example": "good.example",
    "http://good.example?x=1": "good.example",
    "http://good.example?@127.0.0.1/x": "good.example",
    "http://good.example//127.0.0.1/": "good.example",
    "http://good.example/@127.0.0.1/": "good.example",
    "http://good.example/ü x?y=ü z#f": "good.example",
    "http://good.example/x ": "good.example",
    "http://user:pw@good.example/x": "good.example",
    "http://good.example@127.0.0.1/x": "127.0.0.1",
    "http://good.example:80@127.0.0.1/x": "127.0.0.1",
    "http://127.0.0.1:80@good.example/x": "good.example",
    "http://127.0.0.1/x": "127.0.0.1",
    "http://[::1]/x": "[::1]",
    "http://[::FFFF:127.0.0.1]/x": "[::ffff:127.0.0.1]",
    "http://[64:ff9b::7f00:1]:8080/x": "[64:ff9b::7f00:1]",
    "http://xn--bcher-kva.example/x": "xn--bcher-kva.example",
    "http://good_name.example/x": "good_name.example",
}

#: What is not, because not everybody reads it alike, or it leads to this machine in disguise.
NOT_READ: tuple[str, ...] = (
    "", "x.png", "good.example/x", "//127.0.0.1/x", "/etc/passwd", "../x",
    "http://127.1/x", "http://2130706433/x", "http://0x7f000001/x", "http://0177.0.0.1/x",
    "http://0x7f.1/x", "http://127.0.0.1./x", "http://localhost./x", "http://0/x", "http://1.2.3/x",
    "http://256.1.1.1/x", "http://1.2.3.4.5/x", "http://a.1/x", "http://a.0x1/x", "http://a.0x/x",
    "http://[::1%25lo]/x", "http://[::1%lo]/x", "http://[fe80::1%25eth0]/x", "http://[127.0.0.1]/x",
    "http://[good.example]/x", "http://good.example]/x", "http://[::1/x",
    "http://good.example@127.0.0.1@x.example/x", "http://127.0.0.1\\@good.example/x",
    "http://good.example\\@127.0.0.1/x", "http://good.example#@127.0.0.1/x",
    "http://127.0.0.1%2f@good.example/x", "http://good%2eexample/x", "http://good.example/\\x",
    "http:/127.0.0.1/x", "http:127.0.0.1/x", "http:///127.0.0.1/x", "http:\\\\127.0.0.1\\x",
    "http://127.0.0.1:80:80/x", "http://good.example:/x", "http://good.example:99999/x",
    "http://good.example:٣/x",
    "http://\uff11\uff12\uff17.\uff10.\uff10.\uff11/x", "http://127。0。0。1/x", "http://ⓛocalhost/x",
    "http://bücher.example/x", "http://good\u00ad.example/x", "http://\u2028good.example/x",
    "http://-good.example/x", "http://good..example/x", "http://.good.example/x",
    "http://good.example,127.0.0.1/x", "http://good.example;127.0.0.1/x", "http://*/x",
    "http://good.example%00.evil/x", "http://a b/x", "http://good.example :80/x",
    " http://good.example/x", "\thttp://good.example/x", "ht\ntp://good.example/x",
    "http:\t//good.example/x", "http:/\t/good.example/x", "http://good\t.example/x",
    "http://good.example\n/x", "http://good.example/\n//x", "http://good.example\r\nHost: a/x",
    "http://127.0.0.1\x00.good.example/x", "http://good.example/\x00",
    "http://" + "a" * 64 + ".example/x", "http://" + "a." * 130 + "example/x",
    "http://good.example/" + "a" * 9000,
    "httpx://good.example/x", "http+unix://good.example/x", "ftp://good.example/x",
    "gopher://good.example/x", "javascript:alert(1)", " data:,", "\tdata:text/plain,x",
    "file:///etc/passwd", "FILE:///etc/passwd",
)  # fmt: skip
