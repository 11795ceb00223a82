"""How secrets stand in a text: behind which names, in which quotes, of which own shape.

Each is a pattern as text: `re` compiles it when a text first needs it, or every start would wait
for them all.
"""

from __future__ import annotations

QUOTE = r"""(?:\\{0,8}["']|%22|%27)"""
_WORDS = "key|token|secret|passw|passphrase|pass|pwd|pat|auth|cred|cookie|jwt|sig"
#: The end of a name, and what parts it from its value, which YAML may write on the next line. Which
#: names count, `is_secret` says.
NAMED = (
    rf"(?i)(?:{_WORDS})[\w-]{{0,40}}(?P<end>{QUOTE})?\s{{0,8}}(?P<sign>=>?|:|%3D|%3A)"
    r"(?P<gap>[ \t]{0,8}(?:[|>]?[+-]?\r?\n[ \t]{1,16}(?:- )?)?|%20)"
)
_NAME = rf"[\w.:-]{{0,60}}(?:{_WORDS})[\w.-]{{0,40}}"
#: A name and its value as two items: of a list, a tuple, or an object of `name` and `value`.
PAIR = (
    rf"(?i)((?:[\[(]\s{{0,8}}b?|(?:name|key){QUOTE}\s{{0,8}}:\s{{0,8}})(?P<quote>{QUOTE})(?P<name>{_NAME})"
    rf"(?P=quote)\s{{0,8}},\s{{0,8}}(?:{QUOTE}value{QUOTE}\s{{0,8}}:\s{{0,8}})?b?(?P<other>{QUOTE}))"
    r"(?P<value>(?:(?!(?P=other))(?:\\.|[^\\])){1,4000})(?=(?P=other))"
)
#: The text of an element of XML.
ELEMENT = (
    rf"(?i)(<(?P<name>{_NAME})(?:\s[^<>]{{0,200}})?>\s{{0,8}}(?:<!\[CDATA\[)?)"
    r"(?P<value>[^<\s][^<]{0,4000}?)(?=\s{0,8}(?:\]\]>)?</)"
)
#: Words of which a list may be, and no secret is.
WORD = r"[a-z]+(?:[_-][a-z]+)*"
#: What gives a terminal its colours.
ESCAPE = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))"
OF_ADDRESS = r"(?:(?!%26|%23)[^&\s\"'<>#])+"
OF_COOKIE = r"[^\n\"']+"
#: A value that is quoted in any way, without the quote at its end, several, or one that is bare.
ITEM = r"""\\.|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?"""
SCHEMES = "bearer|basic|digest|token|apikey"
VALUE = (
    r"(?i)(?P<quote>\\{1,8}[\"']|%22|%27)(?P<escaped>.{0,4000}?)(?=(?P=quote)|$)"
    r"|(?P<double>\"(?:[^\"\\]|\\.)*)|(?P<single>'(?:[^'\\]|\\.)*)"
    rf"|(?P<several>\[(?:{ITEM}|[^\]\"'\\])*\]?|\((?=[\"'])(?:{ITEM}|[^)\"'\\])*\)?)"
    rf"|(?P<bare>(?:(?:{SCHEMES})(?:[ ]+|%20|\+))?"
    r"(?:(?!%2[2367C]|%7D|%20|[,;](?:\s|$|[\w.-]{1,60}=))[^\s&\"'}\])])+)"
)
OF_AUTHORIZATION = VALUE.replace(SCHEMES, r"[a-z][\w-]{0,30}")  # any word, before the key
#: A count, or what a model writes: <think>, <|eot_id|>, [INST].
NO_TOKEN = r"\d{1,7}|<[|/]?[\w .:-]{1,40}\|?>|\[/?[A-Z_]{1,20}\]"
#: The password in an address, which may hold a slash where no port is meant; a key without a user;
#: addresses that are a secret as a whole.
PASSWORD = (
    r"(?i)(://[^/\s:@\"'<>]{0,200}:)(?:[^/\s\"'<>]{1,400}|(?!\d{1,5}/)[^\s\"'<>@]{1,200})(?=@)"
    r"|(://)[^/\s:@\"'<>]{16,200}(?=@)"
    r"|(%3A%2F%2F(?:(?!%3A|%2F|%40)[^\s\"'&]){0,200}%3A)(?:(?!%40|%2F)[^\s\"'&]){1,200}(?=%40)"
    r"|(hooks\.slack\.com/\w{1,20}/|/api/webhooks/\d{1,30}/)[\w/-]+"
)
BLOCK = r"(?s)-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-{5}.*?(?:-----END [A-Z0-9 ]{0,40}KEY-{5}|\Z)"
SCHEME = r"(?i)((?:bearer|basic)(?:\s{1,8}|%20|\+))([\w.~+/=-]{8,})"
#: An option that is named like a secret, however it is misspelt, and what follows it; not counts
#: and files that only resemble one (--max-num-batched-tokens, --tokenizer, --ssl-keyfile), nor the
#: words of a sentence about it.
OPTION = (
    r"(?i)(--?(?=[\w.-]{0,100}?(?:(?:(?<![a-z])|api|access|auth|private|secret)"
    r"key(?!file|word|board|-?value)|(?<![a-z])token(?!i[sz]|s(?![a-z])|-ids|-threshold)|passw"
    r"|passphrase|secret|(?<!allow[_-])credential|authorization|cookie))[\w.-]{1,100}(?:=| {1,8}))"
    r"(?!\d+[km]?(?:\s|$)|\*|(?:in|is|are|has|have|takes?|needs?|was|goes|and|or|of|to|as|with|must"
    r"|cannot|can|expects?|wants?|stands?|does|not|for|from|at|on|by)\b)([^\s-]\S*)((?: (?!-)\S+)*)"
)
#: What makes of the text behind it a command line: close to it, and in its line.
COMMAND = r"(?i)(?:\barguments?:|\bcommand:|args=['\"]?)$"
SERVE = r"(?i)\bserve\b"
SHAPE = (
    r"(?:hf_(?!transformers)[A-Za-z0-9]{12,}|sk-(?=[\w-]*\d)[\w-]{8,}|(?:rpa|npm|gsk)_[A-Za-z0-9]{8,}"
    r"|gh[opsur]_[A-Za-z0-9]{8,}|github_pat_\w{8,}|glpat-[\w-]{8,}|A[KS]IA[A-Z0-9]{12,}"
    r"|AIza[\w-]{30,}|xox[abeoprs]-[\w-]{10,}|nvapi-[\w-]{20,}|[sr]k_live_\w{8,}"
    r"|eyJ[\w-]{8,}\.[\w.-]+|hv[bsr]\.[\w-]{12,}|dckr_[op]at_[\w-]{12,}|pypi-(?=[\w-]*[A-Z\d])[\w-]{20,}"
    r"|r8_[A-Za-z0-9]{12,}|(?:xai|tgp_v1|fw|csk|pplx|jina|figd|ntn|dop_v1|sbp|shpat|glsa|whsec|lin_api)"
    r"[_-](?=[a-zA-Z]*\d)[A-Za-z0-9]{18,}[\w-]*|(?:gl(?:dt|rt|ptt|cbt)|tskey|xapp)-[\w-]{12,}|[sr]k_test_\w{8,}"
    r"|SG\.[\w-]{12,}\.[\w-]{12,}|ya29\.[\w-]{12,}|dapi[0-9a-f]{32}|LTAI[A-Za-z0-9]{12,}"
    r"|AGE-SECRET-KEY-1[A-Z0-9]{12,})"
)
#: Nothing is hidden in a text that has none of these in small letters: most have none, and each
#: pattern costs. First what tells a key of a shape of its own.
SHAPE_HINTS = (
    "hf_ sk- rpa_ npm_ gsk_ ghp_ gho_ ghs_ ghu_ ghr_ github_ glpat gldt- glrt- glptt- glcbt-"
    " akia asia aiza xox nvapi k_live eyj hvs. hvb. hvr. dckr_ pypi- r8_ xai- xai_ tgp_v1 fw_"
    " fw- csk- csk_ pplx jina figd ntn_ ntn- dop_v1 sbp_ sbp- shpat glsa whsec lin_api tskey"
    " xapp k_test sg. ya29 dapi ltai age-secret"
).split()
HINTS = (
    "key token secret passw passphr _pass -pass _pwd -pwd _pat -pat auth cred cookie jwt sig bearer"
    " basic :// %3a hook"
).split() + SHAPE_HINTS
#: What each match of one pattern has in it, in small letters.
PASSWORD_HINTS = ("://", "%3a", "hook")
NAMED_HINTS = ("=", ":", "%3d", "%3a")
PAIR_HINTS = ('"', "'", "%22", "%27")
SCHEME_HINTS = ("bearer", "basic")
