"""Find secrets by their context: headers, command lines, URLs with a password, SQL, sentences."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from itertools import accumulate
from typing import Any

from bot.domain.core.redact import looks
from bot.domain.core.redact.engine import MatchFinder, Span, compiled_set, finder
from bot.domain.core.redact.names import JUDGED, is_odd, is_said

Judge = Callable[[str], bool]
_WORD = r"""(\\*"[^"\n]+"?|\\*'[^'\n]+'?|[^\s"'|;<>]+)"""
_ARGUMENT = r"""(\\*"[^"\n]+"?|\\*'[^'\n]+'?|[^\s"'|;<>\-][^\s"'|;<>]*)"""
_KIND = (
    r"(?:pass(?:word|wd|phrase|code|wort)|pwd|secret|token|credentials?|creds|kennwort|mot[ ]de[ ]passe|contraseña"
    r"|(?:api|access|secret|private|license|encryption|shared|signing|master)[ _-]?(?:key|token|secret|code))s?"
)
_OF = r"(?:[ \t]+[\w@.\-]+){0,4}?[ \t]+"
_TO_ITS_END = r"""([^"'\\\n]+)"""


_NAME = re.compile(
    r"(?:[a-z][a-z0-9]{0,11}-){1,4}(?:secrets?|tokens?|keys|credentials?|auth)(?:-[a-z0-9]{1,12}){0,3}|[A-Z]+\]"
)
"""Names of Secrets, and placeholders in usage lines (``NAME]``)."""


def _any(text: str) -> bool:
    return bool(text)


def _value(text: str) -> bool:
    """Accepts an actual value: no state such as ``missing``, no stand-in, no option."""
    return is_said(text) and not text.startswith("-")


def _no_name(text: str) -> bool:
    """Accepts a value that is no name of a Secret or placeholder: ``agent-secrets-tier2``, ``NAME]``."""
    return _value(text) and _NAME.fullmatch(text) is None


def _odd(text: str) -> bool:
    """Accepts what is no ordinary word, after removing punctuation of the sentence around it."""
    return is_odd(text.strip("\"'`\\.,;:!?)(").removesuffix("'s"))


def _argument(text: str) -> bool:
    """Accepts an odd argument that is no address, format, size, path or branch."""
    parts = text.split("/")
    if len(parts) > 1 and not any(looks.is_random(part, 12) for part in parts):
        return False
    return _odd(text) and not looks.is_number(text) and _ADDRESS.search(text) is None


_ADDRESS = re.compile(r"://|%\{|^\[?[\w.\-:]+\]?:\d+(?:/|$)")
"""A URL, curl's format of an answer, a host with its port."""


def _random(text: str) -> bool:
    return is_said(text) and (
        looks.is_random(text, 12)
        or looks.is_pair(text)
        or (looks.is_hex(text) and len(text) > 23 and _FINGERPRINT.fullmatch(text) is None)
    )


_FINGERPRINT = re.compile(r"(?=.*[A-F])[0-9A-F]{40}")
"""The fingerprint of a PGP key, as gpg prints it."""


def _random_or_named(text: str) -> bool:
    """Accepts random text, but no reference to a Secret: ``namespace/name``."""
    if _REFERENCE.fullmatch(text):
        return any(looks.is_random(part, 12) for part in re.split("[-./]", text))
    return _random(text)


_REFERENCE = re.compile(r"[a-z0-9]+(?:-+[a-z0-9]+)*/[a-z0-9]+(?:[-.]+[a-z0-9]+)*")


def _long(text: str) -> bool:
    return is_said(text) and (len(text) >= 16 or _random(text))


def _drawn(text: str) -> bool:
    """Accepts short random text: upper and lower case letters and digits, mixed."""
    kinds = (str.isupper, str.isdigit, str.islower)
    return all(any(map(kind, text)) for kind in kinds) and is_odd(text) and looks.changes(text) > 0.4


def _password(text: str) -> bool:
    """Accepts generated passwords: at least three of lower case, upper case, digits and signs."""
    if len(text) < 8 or _SNAKE.fullmatch(text):
        return False
    sign = not _SIGNS.isdisjoint(text)
    kinds = sum(any(map(kind, text)) for kind in (str.islower, str.isupper, str.isdigit)) + sign
    return kinds > 2 and is_odd(text) and (sign or looks.changes(text) > 0.4)


_SIGNS = frozenset("!#$%^&*=+?~_")
_SNAKE = re.compile(r"[a-z]{2,}\d*(?:_[a-z]{2,}\d*)+")
"""Names such as ``ssh_host_ed25519_key``."""


def _guessed(text: str) -> bool:
    """Accepts passwords and random text where the context is weak evidence."""
    return is_said(text) and (_mixed(text) or _password(text) or looks.is_random(text, 16))


def _mixed(text: str) -> bool:
    """Accepts upper and lower case letters and digits that form no name in CamelCase."""
    kinds = (str.islower, str.isupper, str.isdigit)
    return (
        len(text) >= 8
        and all(any(map(kind, text)) for kind in kinds)
        and is_odd(text)
        and looks.changes(text) > 0.3
        and not looks.is_camel(text)
    )


def _odd_or_words(text: str) -> bool:
    """Accepts what is no ordinary word, and passphrases of four words or more."""
    return _odd(text) or len(text.split()) > 3


def _code(text: str) -> bool:
    """Accepts one-time codes by their length, such as six digits, also in groups."""
    return 4 <= len(text.strip(".,;")) <= 32


def _pairs(text: str) -> bool:
    return "=" in text


_PICKY = frozenset({_odd, _argument, _guessed, _mixed, _random, _drawn, _password, _pairs})
"""Judges that accept no ordinary word."""
_MARK = "[0-9A-Z!@#$^*+=~&%?_]"
"""Every value that a judge in `_PICKY` accepts contains one of these."""
_MARKED = re.compile(_MARK.encode())

_HEADER = r"(?:\\*[\"']\]?[ \t]*,|(?:\\*[\"'])?\]?[ \t]*(?:[:=]|=>))[ \t]*(?:\\*[\"'\[]){0,2}"
_HEADERS: tuple[tuple[str, Judge], ...] = (
    (
        r"authorization" + _HEADER + r"(?:b\')?"
        # Schemes with parameters: the value extends to the end.
        r"((?:digest|oauth|hmac|signature|aws4-hmac-sha256|[\w-]{1,20}hmac)[ \t]+[^\"'\\\n]+"
        r"|(?:[\w-]{1,24}[ \t]+)?[^\s\"'\\,;]+)",
        _value,
    ),
    (r"\b(?:bearer|basic|negotiate|apikey|genieKey|sso-key)[ \t]+([\w.~+/:\-]{8,}=*)", _long),
    (r"\bset-cookie2?" + _HEADER + r"[\w.\-]+=([^;\s\"'\\]+)", _value),
    (r"\bcookies?" + _HEADER + _TO_ITS_END, _pairs),
    (
        r"(?:_[a-z]+_session|sess(?:ion)?_?id|connect\.sid|sid|laravel_session|csrftoken|xsrf-token|remember_token)"
        r"=([\w.%~+/\-]{12,})",
        _random,
    ),
)
_ADDRESSES: tuple[tuple[str, Judge], ...] = (
    (r"://[^\s/@:\"'<>]*:([^\s/\"'<>]+)@", _any),
    (r"://[^\s/@:\"'<>]*:([^\s@\"'<>]+)@[\w.\-]+(?::\d+)?(?:[/?]|\b)", _any),
    (r"://([^\s/@:\"'<>]{16,})@", _any),
    (r"://([^\s/@:\"'<>]{10,15})@", _password),
    (r"(?:^|[\s=\"'])[\w.\-]+:([^\s@\"'<>]+)@(?:tcp|tcp6|unix)\(", _any),  # Go's MySQL
    (
        r"[?&#](?:sig|signature|x-amz-signature|x-goog-signature|code|key|auth|access|hash|token|t|k|ticket|state"
        r"|sid|jwt|assertion|otp|pw|pass|secret|sas|invite|magic|api_?key)=([^\s&\"'<>#]{16,})",
        _random,
    ),
    (r"[?&](?:appid|app_id|api-?token|apitoken|subscription-key)=([\w\-]{16,})", _long),
    (r"\botpauth://[^\s\"']*[?&]secret=([a-z2-7=]+)", _any),
)
_COMMANDS: tuple[tuple[str, Judge], ...] = (
    (r"(?:^|[^a-z\d\-])--?secret(?:[ \t]+|=)" + _WORD, _no_name),
    (
        r"--?(?:[a-z\d]+-){0,4}(?:pass(?:word|wd|phrase|code)?|pw|pwd|token|[a-z\d]+-secret|credentials?|oauth2-bearer|key-?data"
        r"|requirepass|masterauth|(?:api|access|secret|private|auth|shared|encryption|master|license|account)-?key"
        r"|client-secret|sas-token)(?:[ \t]+|=)" + _WORD,
        _value,
    ),
    (r"\bdocker[ \t]+login\b[^\n|]*?[ \t]-p[ \t=]*" + _WORD, _value),
    (
        r"\b(?:podman|buildah|skopeo|helm|nerdctl|crane|oc|az|cf|ibmcloud|oras|heroku|vault|argocd|harbor)\b"
        r"[^\n|]{0,80}?[ \t](?:login|auth)\b[^\n|]*?[ \t]-p[ \t=]*" + _WORD,
        _value,
    ),
    (
        r"\b(?:curl|wget|http|https|xh|httpie|aria2c|lftp)\b[^\n|]*?"
        r"[ \t](?:-[a-z]*u|--user|--proxy-user|-a|--auth)[ \t=]*\\*[\"']?[^\s:\"'/]+:([^\s\"']+)",
        _value,
    ),
    (r"--(?:proxy-)?user[ \t=]+\\*[\"']?[\w.@+\-]+:([^\s\"']+)", _odd),
    (r"(?:^|[\s\"'])-U[ \t]?\\*[\"']?[\w.@+\-/]+%([^\s\"']+)", _odd),
    (r"\bnet[ \t]+use\b[^\n|]*?/user:\S+[ \t]+" + _WORD, _odd),
    (r"[ \t]/p(?:ass(?:word)?)?:" + _WORD, _value),
    (r"\bssh-keygen\b[^\n|]*?[ \t]-[NP][ \t]*" + _WORD, _value),
    (r"\b(?:add_user|change_password)[ \t]+\S+[ \t]+" + _WORD, _odd),
    (r"(?:^|[\s\"'])-u[ \t]?\\*[\"']?[\w.@+\-]+:([^\s\"'/]+)", _odd),
    (
        r"\b(?:mysql\w*|mariadb\w*|mycli|sshpass|rar|unrar|7z\w{0,2}|ldapadd|innobackupex|xtrabackup|pt-\w[\w-]*|proxysql)\b"
        r"[^\n|]*?[ \t]-p([^\s\"'-][^\s\"']*|\"[^\"\n]+\"?|'[^'\n]+'?)",
        _value,
    ),
    (
        r"\b(?:sshpass|mongo\w*|smbclient|snmpwalk|zip|unzip|openssl|sqlcmd|bcp|impacket\w*|nxc|hydra|useradd|usermod"
        r"|mosquitto_\w+|ansible\w*|keytool|ldap\w+|clickhouse\w*|cqlsh|influx|kinit|sftp|xfreerdp|evil-winrm|snowsql|ncftp\w*"
        r"|twine|snmp\w+|ipmitool|kcadm\S*|couchbase-cli|arangosh|cypher-shell|psexec\S*|wmic|crackmapexec|smbmap)\b"
        r"[^\n|]*?[ \t](?:-p|-P|-w|-storepass|-keypass|-k)[ \t]+" + _WORD,
        _argument,
    ),
    (r"\b(?:redis-cli|valkey-cli|keydb-cli)\b[^\n|]*?[ \t](?:-a|--pass)[ \t]+" + _WORD, _value),
    (r"\b(?:pscp|plink|psftp|rdesktop|putty)\b[^\n|]*?[ \t](?:-pw|-p)[ \t]+" + _WORD, _value),
    (r"\b(?:sqlplus|expdp|impdp|rman)\b[^\n|]{0,40}?[ \t][\w.]+/([^\s@\"']+)@", _value),
    (r"\bht(?:passwd|digest)[ \t]+-[a-z]*b[a-z]*[ \t]+\S+[ \t]+\S+[ \t]+" + _WORD, _value),
    (r"\bhtpasswd[ \t]+-[a-z]*n[a-z]*[ \t]+[\w.]+[ \t]+" + _WORD, _value),
    (r"-pass(?:in|out)?[ \t]+(?:pass:|env:)?" + _WORD, _value),
    (r"\bpass:([^\s\"']+)", _odd),
    (
        r"\becho[ \t]+(?:-[ne]+[ \t]+)?" + _WORD + r"[ \t]*\|[^\n]{0,60}(?:--?password-stdin|--with-token|passwd"
        r"|sudo[ \t]+-S|--passphrase-fd|cryptsetup|--token-stdin|vault|kinit|su\b|gpg|openssl"
        r"|smbpasswd|wrangler|gh auth)",
        _value,
    ),
    (r"(?:secret|passw(?:or)?d|token|login|su|sudo)\b[^\n|]*?<<<[ \t]*" + _WORD, _odd),
    (r"\bsnmp\w+\b[^\n|]*?[ \t](?-i:-A)[ \t]+" + _WORD, _odd),
    (r"\bsnmp\w+\b[^\n|]*?[ \t](?-i:-X)[ \t]+" + _WORD, _odd),
    (r"::add-mask::([^\n]+)", _any),  # GitHub Actions' command to mask a value
    (r"(?m:^|[ \t])-?-setcookie[ \t]+" + _WORD, _value),  # Erlang
    (r"\blftp\b[^\n|]*?[ \t]-u[ \t]+[\w.@\-]+,([^\s\"']+)", _value),
    (r"\bcurl\b[^\n|]*?[ \t](?:-b|--cookie)[ \t]*[\"']?[\w.\-]+=([^\s;\"']+)", _odd),
    (r"\bdoctl\b[^\n|]*?[ \t](?:-t|--access-token)[ \t=]+" + _WORD, _value),
    (r"(?m:^|[ \t])--?(?:current|old|new|root|admin|db)-?pass(?:word|wd)?[ \t=]+" + _WORD, _value),
    (r"\bopenssl[ \t]+passwd\b[^\n|]*?[ \t]-[1-6a-z]+[ \t]+([^\s\-][^\s]*)", _odd),
    (r"\b(?:set_network[ \t]+\d+[ \t]+)?(?:psk|wep_key0)[ \t]+" + _WORD, _odd),
    (r"\bdefine\(\\*[\"']\w*(?:KEY|SALT|PASSWORD)\\*[\"'][ \t]*,[ \t]*('[^'\n]+'?|\"[^\"\n]+\"?)", _value),
    (r"\bencrypt(?:ion)?[ \t]*[:=][ \t]*[\"']?([\w+/]{32,}={0,2})", _random),  # Consul, Nomad
    (r"\bnet[ \t]+user[ \t]+[\w.\-]+[ \t]+([^\s/][^\s]*)", _odd),
    (r"\bConvertTo-SecureString\b[^\n|]*?[ \t](?:-String[ \t]+)?(\"[^\"\n]+\"?|'[^'\n]+'?)", _value),
    (r"\bmc[ \t]+(?:alias[ \t]+set|config[ \t]+host[ \t]+add)[ \t]+\S+[ \t]+\S+[ \t]+\S+[ \t]+" + _WORD, _value),
    (r"\b(?:rclone[ \t]+obscure|cargo[ \t]+login|add-authtoken|caddy[ \t]+hash-password)[ \t]+" + _WORD, _odd),
    (r"\bhttp-basic\.\S+[ \t]+\S+[ \t]+" + _WORD, _value),
    (r"\bbundle[ \t]+config[ \t]+(?:set[ \t]+)?(?:--\w+[ \t]+)?\S+[ \t]+[\w.\-]+:(\S+)", _odd),
    (r"\b(?:REDISCLI_AUTH|NEO4J_AUTH|[A-Z]+_BASIC_AUTH)[ \t]*[=:][ \t]*[\"']?(?:\w+[/:])?([^\s\"']+)", _odd),
    (r"(?-i:\bAUTH)\"?[ \t]+(?:\"?[A-Za-z][\w.\-]*\"?[ \t]+)?\"?([^\s\"']+)", _odd),
    (r"\becho[ \t]+\\*[\"']?[\w.\-]+:([^\s\"'|]+)[\"']?[ \t]*\|[ \t]*(?:sudo[ \t]+)?chpasswd", _value),
    (
        r"\b(?:passwd|chpasswd|vault login|op signin|requirepass|masterauth|AUTH|PASS|bindpw|rootpw|community)"
        r"[ \t]+" + _WORD,
        _odd,
    ),
    (
        r"\b(?:set|setx|setenv|secrets?[ \t]+(?:put|add))[ \t]+[\"']?[\w./:\-]*"
        r"(?:pass|passwd|password|secret|token|key|credentials?)\w*[\"']?[ \t]+" + _WORD,
        _odd,
    ),
    (
        r"(?-i:\b(?:[A-Z][A-Z0-9]*_)*[A-Z0-9]*(?:PASS|PASSWORD|PASSWD|PWD|SECRET|TOKEN|KEY|CREDENTIALS?)"
        r"(?:_[A-Z0-9]+)?)[ \t]+" + _WORD,
        _odd,
    ),
)
_FILES: tuple[tuple[str, Judge], ...] = (
    (r"\b_(?:auth|authtoken|password)[ \t]*=[ \t]*" + _WORD, _value),  # .npmrc
    (r"\b(?:login|user)[ \t]+\S+[ \t]+password[ \t]+" + _WORD, _value),  # .netrc
    (r"(?m:^|[\s=])[^\s:/]+:(?:\d{2,5}|\*):[\w.\-*]+:[\w.@\-*]+:([^\s:]+)(?m:$)", _odd),  # .pgpass
    (
        r"\b(?:identified[ \t]+(?:with[ \t]+\S+[ \t]+)?(?:by|as)"
        r"|(?:encrypted[ \t]+)?password(?:[ \t]+for[ \t]+\S+)?)(?:[ \t]+password)?"
        r"[ \t]+=?[ \t]*\(?(\\*'[^'\n]+'?|\\*\"[^\"\n]+\"?)",  # SQL
        _value,
    ),
)
_QUOTED = r"(\\*\"[^\"\n]+\"?|\\*'[^'\n]+'?|\\*`[^`\n]+`?|«[^»\n]+»?|“[^”\n]+”?)"
_SENTENCES: tuple[tuple[str, Judge], ...] = (
    (
        r"\b(?:" + _KIND + r"|pin(?:[ ]code)?|otp|login)" + _OF + r"(?:is|was|are|were|to|as|with|equals|reads"
        r"|has been set to|now|becomes|will be|ist|est|es)(?:[ \t]+(?:now|still|set|to))?[ \t]*:?[ \t]*" + _QUOTED,
        _value,
    ),
    (
        r"\b" + _KIND + _OF + r"(?:is|was|are|were|to|as|with|equals|now|becomes|ist|est|es)(?::[ \t]*|[ \t]+)"
        r"([^\s\"'`«“]+)",
        _odd,
    ),
    (r"\bpin(?:[ ]code)?[ \t]+(?:is|was)[ \t]*:?[ \t]*(\d{4,8})\b", _any),
    (r"\b(?:pass(?:word|wd|phrase|code|wort)|pwd|kennwort)(?:\\*[\"'])?[ \t]+" + _QUOTED, _odd_or_words),
    (r"\b(?:secret|token)(?:\\*[\"'])?[ \t]+" + _QUOTED, _mixed),
    (r"\b(?:pass(?:word|wd|phrase|code|wort)|pwd|kennwort)[ \t]+([^\s\"'`]+)", _odd),
    (r"(?:" + _KIND + r"|key)[ \t]+(?:\\*[\"'`(\[])?([\w.~+/=\-]{16,})", _random_or_named),
    (r"(?:" + _KIND + r"|_key)[ \t]+(?:value[ \t]+)?(?:\\*[\"'`(\[])?([^\s\"'`]{10,40})", _drawn),
    (
        r"\b(?:logged in|log ?in|signe?d? in|authenticate[ds]?|connect(?:ed|ing)?)\b[^\n]{0,40}?"
        r"[ \t]+(?:as|with|using)[ \t]+[\w.@\-]+[ ]?[:/][ ]?([^\s\"']+)",
        _odd,
    ),
    (r"\b(?:using|with|try(?:ing)?|sent|got|entered)[ \t]+(?:the[ \t]+)?" + _KIND + r"[ \t:=]+" + _WORD, _odd),
    (
        r"\b(?:user(?:name)?|login)[ \t]*[/&,+][ \t]*pass(?:word)?[ \t]*[:=]?[ \t]*\S+"
        r"[ \t]*[/:,][ \t]*([^\s\"']+)",
        _value,
    ),
    (r"\bpassword[ \t]+for[ \t]+\S+[ \t]*(?:[:=]|is)[ \t]*" + _WORD, _value),
    # "A temporary password is generated for root@localhost: …", "Incorrect API key provided: …"
    (r"\b" + _KIND + r"(?:[ \t]+[\w@.'\-]+){1,8}[ \t]*:[ \t]+" + _WORD, _password),
    (r"\b" + _KIND + r"[ \t]*\|[ \t]*([^\s|]+)", _odd),
    (r"\blogin attempt[ \t]+\[[^\s/\]]+/([^\s\]]+)\]", _value),
    (
        r"\b(?:one.time|verification|security|login|sign.in|2fa|mfa|otp|backup|recovery|confirmation|authentication)"
        r"[ \t]+(?:code|passcode|pin)s?(?:[ \t]+(?:is|are|was)|[ \t]*:)[ \t]*:?[ \t]*(\S*\d\S*)",
        _code,
    ),
    (r"\b(?:t?otp|(?:one.time|verification|2fa|mfa|otp)[ \t]+(?:pass)?code)[ \t]+(\d{4,8})\b", _any),
    (
        r"\b(?:mnemonic|seed|recovery|secret)(?:[ _]phrase)?[\"']?[ \t]*[:=][ \t]*[\"']?"
        r"((?:[a-z]{3,8}[ ,]+){11,23}[a-z]{3,8})",
        _any,
    ),
)
_LOGIN = (
    r"(?:log-?in|sign-?in|auth|publish|register|unlock|unlock-keychain|add-\w+-password|push"
    r"|snyk|codecov|altool|notarytool"
    r"|veracrypt|jarsigner|keytool|secrets?|credentials?|account|passwd)"
)
_IN_COMMAND = r"\b(?:[^\n|;&:,]|[:,][^\s])*?"
"""What may stand between a command and its option: no other command, and no end of a clause."""
_FED = (
    r"(?:--?password-stdin|--with-token|--token-stdin|passwd|chpasswd|sudo[ \t]+-S|passphrase|secrets?"
    r"|password|token|login|luksOpen|cryptsetup|load-key|kinit|lpass|gpg|unlock)"
)
_ABROAD = (
    r"(?:mot[ ]de[ ]passe|wachtwoord|senha|пароль|парол|密码|密碼|口令"
    r"|パスワード|비밀번호|hasło|passord|lösenord|salasana|adgangskode|şifre|parolă"
    r"|heslo|jelszó|mật[ ]khẩu|lozinka|contrasenya|palavra-passe)"
)
_FURTHER: tuple[tuple[str, Judge], ...] = (
    (r"\bx-[\w\-]*team" + _HEADER + r"([\w\-]{20,})", _random),
    (r"[?&](?:code|token|access|ticket|invite|magic|key|auth|pw)=([^\s&\"'<>#]{8,})(?:[\s&\"'<>#]|$)", _password),
    (
        r"/(?:(?:password-)?reset(?:-password)?|magic(?:-link)?|verify|confirm|activate|invite|unsubscribe)/([^\s/?&\"'<>]{8,})",
        _guessed,
    ),
    # Short options of subcommands such as `login`, of any tool.
    (
        r"\b" + _LOGIN + _IN_COMMAND + r"[ \t]-(?:[pkwb]|-key|-text|-body|-value|-data|-secret-string)"
        r"[ \t=]+" + _ARGUMENT,
        _argument,
    ),
    (
        r"\b(?:log-?in|sign-?in|register|codecov|snyk)" + _IN_COMMAND + r"[ \t]-[tr][ \t=]+" + _ARGUMENT,
        _argument,
    ),
    (r"-(?:[a-z]{0,4}storepass|keypass|-secret-string|-token-code|encrypt)[ \t=]+" + _WORD, _odd),
    (r"\b(?:put-parameter|SecureString)\b[^\n|]*?[ \t]--value[ \t=]+" + _WORD, _odd),
    (r"\b" + _FED + r"\b[^\n]*<<[-~]?[ \t]*\\?[\"']?[A-Z_]+[\"']?[^\n]*\n[ \t]*([^\s]+)", _odd),
    (r"\bcat[ \t]+<<[-~]?[ \t]*[\"']?[A-Z_]+[\"']?[ \t]*\|[^\n]*" + _FED + r"[^\n]*\n[ \t]*([^\s]+)", _odd),
    (r"\b" + _FED + r"\b[^\n|]*?<<<[ \t]*" + _WORD, _odd),
    (r"(?:assword|assphrase|\bexpect)\b[^\n]*?\bsend(?:line)?(?:[ \t:]+|\([\"']?)(?:--[ \t]+)?" + _WORD, _odd),
    (r"\bsend(?:line)?[ \t:(]+(?:--[ \t]+)?(\"[^\"\n]+\\+[rn]\"?|'[^'\n]+\\+[rn]'?)", _guessed),
    (r"password-?command[ \t=]+\\*[\"']?(?:echo|printf)[ \t]+([^\s\"']+)", _odd),
    (
        r"\b(?:echo|printf)[ \t]+(?:-[ne]+[ \t]+)?(?:[\"']?%s\S{0,4}[ \t]+)?" + _WORD + r"[ \t]*\|[^\n]*"
        r"\b(?:secret[ \t]+set|secrets?[ \t]+(?:add|put|create)|docker[ \t]+login|auth[ \t]+login"
        r"|base64|--?password-stdin)",
        _odd,
    ),
    (
        r"(?:\bbw[ \t]+login[ \t]+\S+|\bunlock|\bunseal|\bwpa_passphrase[ \t]+\S+"
        r"|\bmosquitto_passwd[ \t]+-\w+[ \t]+\S+[ \t]+\S+"
        r"|\bservice[ \t]+install|[a-z]+_pw|/rp|\bsetapikey|sonar\.(?:login|token))[ \t=]+" + _WORD,
        _guessed,
    ),
    (r"\bnet[ \t]+use\b[^\n|]*?[ \t]([^\s/][^\s]*)[ \t]+/user:", _odd),
    (r"\brunas\b[^\n]*?\"[ \t]+" + _WORD, _guessed),
    (r"(?:native|sha2|identified)\w*[ \t]+(?:by|as)[ \t]+" + _WORD, _odd),
    (r"\b(?:config|store)[ \t]+[\w.:/\-]*(?:pass|password|secret|token)[\w.:\-]*[ \t]+" + _WORD, _guessed),
    (r"\bsecret_id=([^\s\"']+)", _odd),
    (r"\bssh-keygen\b[^\n|]*?[ \t]-P[ \t]+" + _ARGUMENT, _odd),
    (r"\bSETUSER\b[^\n]*?[ \t]>(\S+)", _value),
    # Switches and routers
    (r"\b(?:secret|password|key|community|md5)[ \t]+[0-9][ \t]+([^\s\"']+)", _odd),
    (r"\b(?:username[ \t]+\S+|enable)[ \t][^\n]*?(?:secret|password)[ \t]+([^\s\"']+)", _odd),
    (r"\b(?:tacacs|radius|ssid|isakmp|ntp)\b[^\n]*?[ \t]key[ \t]+(?:\d[ \t]+)?" + _WORD, _odd),
    # Calls with a user and a password.
    (
        r"(?:\bauth|log_?in|sign_?in|basic_?auth\w*|credentials?|\bbind)[ \t]*[=:]?[ \t]*\([ \t]*"
        r"\\*[\"'][^\"'\n]+[\"'][ \t]*,[ \t]*(\\*\"[^\"\n]+\"?|\\*'[^'\n]+'?)",
        _guessed,
    ),
    (r"(?m:^|[ \t])[\w.\-/\\]+:([^\s@:/\"']+)@[\w.\-]+(?m:[ \t]|$)", _password),  # Impacket
    (_ABROAD + r"[^\s:：=]{0,4}[ \t]*(?:[:=：]|is|es|är|er|on)[ \t]*" + _WORD, _odd),
    (r"\b" + _KIND + _OF + r"(?:is|was)[ \t]+(?:now|set[ \t]+to|still|reset[ \t]+to)[ \t]+([^\s\"'`]+)", _guessed),
    (r"\b" + _KIND + r"\b[^\n]*:[ \t]*\n[ \t\n]*([^\s]+)[ \t]*(?m:$)", _drawn),
    (r"<[\w:.\-]*(?:pass(?:word|wd)?|pwd|secret|token|apikey)\w*[ \t][^<>\n]*>([^<\s]+)<", _value),
    (r"\"\w*(?:pass(?:word|wd)?|pwd|secret|token|apikey)\"[^<>\n]*>[ \t\n]*<\w+>([^<\n]+)<", _value),
    (r"passw(?:or)?d(?:,|::[ \t]+|:[ \t]*![\w\-]+[ \t]+)([^\s,]+)", _guessed),
    (r"\$ANSIBLE_VAULT;[^\n]+((?:\n[ \t]*[0-9a-f]{20,})+)", _any),
    (r"\b(?:credentials?|creds|login)[ \t]*:?[ \t]+[\w.@\-]+[ \t]?[:/][ \t]?([^\s\"'`]+)", _guessed),
    (r"\bname=\\*\"?\w*(?:pass|pwd|secret|token)\w*\\*\"?[ \t]*\n[ \t\n]*([^\s]+)", _odd),  # a form
    (r"\bUGFzc3dvcmQ6[^\n]*\n[ \t]*(?:[CS]:[ \t]*)?([\w+/=]{4,})", _any),  # SMTP's AUTH LOGIN asks for it
)
_LATER: tuple[tuple[str, Judge], ...] = (
    # Functions and methods that take a secret: signing, hashing, logging in, typing into a form.
    (
        r"\b(?:hmac\.new|createHmac|createCipher\w*|jwt\.\w+|(?:bcrypt|argon2|scrypt|crypt)(?:\.\w+)?|password_\w+"
        r"|check_password_hash|pgp_sym_\w+|aes_\w+|Fernet)\((?:[^,\n]{1,80},)?[ \t]*\\*b?" + _QUOTED,
        _odd,
    ),
    (
        r"(?:authentication|credentials?|connect(?:ion)?)\([^()\n]{0,80}\"[^\"\n]+\"[ \t]*,[ \t]*"
        r"(\\*\"[^\"\n]+\"?)",
        _guessed,
    ),
    (r"assword[^\n]{0,40}\.(?:type|send_?keys|fill)\([ \t]*\\*" + _QUOTED, _odd),
    (r"\bINSERT[ \t]+INTO\b[^\n]*\b(?:password|passwd|pwd)\b[^\n]*?\bVALUES[ \t]*\(([^\n]+)", _odd),
    (r"\bPRAGMA[ \t]+(?:hex)?(?:re)?key[ \t]*=[ \t]*" + _QUOTED, _any),
    (
        r"\b(?:echo|printf)[ \t]+(?:-[ne]+[ \t]+)?"
        + _WORD
        + r"[ \t]*>{1,2}[ \t]*\S*(?:pass|pwd|secret|token|cred)",
        _odd,
    ),
    (r"(?:^|\s)\w{0,4}\d+[ \t]+(?-i:LOGIN)[ \t]+\S+[ \t]+" + _WORD, _odd),  # IMAP
    (r"(?-i:\bIDENTIFY)[ \t]+(?:[\w\-]+[ \t]+)?" + _WORD, _odd),  # IRC
    (r"\bWIFI:(?:[^\n;]*;){0,4}P:([^;\n]+);", _any),
    (r"\"kty\"[^\n]*\"[dk]\"[ \t]*:[ \t]*\"([\w\-]{16,})", _any),  # JWK
    (r"\"[dk]\"[ \t]*:[ \t]*\"([\w\-]{16,})\"[^\n]*\"kty\"", _any),
    (r"\b(?:digest|hawk|hmac|oauth|signature)[ \t][^\n]*?(?:response|mac|signature)=\\*\"([^\"\\\n]{16,})", _any),
    (r"\bapi_hash[\"']?[ \t]*[=:][ \t]*[\"']?([0-9a-f]{32})\b", _any),  # Telegram
    (r"\b(?:XAUTH|EAP)[ \t]+" + _QUOTED, _value),
    (r"\b(?:my|the|your|new|his|her|our)[ \t]+(?:pass|pw)[ \t]+(?:is|was)[ \t]*:?[ \t]*" + _WORD, _odd),
    (
        r"\b(?:use|used|using|enter|with)[ \t]+"
        + _WORD
        + r"[ \t]+(?:as|for)[ \t]+(?:(?:the|a|your|my)[ \t]+)?"
        + _KIND,
        _odd,
    ),
    (r"\b" + _KIND + r"[ \t]+from[ \t]+" + _WORD + r"[ \t]+to\b", _odd),
    (r"\b" + _KIND + r"[ \t]*\([^()\n]{1,30}\)[ \t]*[:=][ \t]*" + _WORD, _odd),
    (r"\b" + _KIND + r"[ \t]*\([\w.@\-]+,[ \t]*([^\s)]+)\)", _odd),
    (r"\bpasswort[ \t]+lautet[ \t]*:?[ \t]*" + _WORD, _odd),
    (r"\b(?:expdp?|impdp?|sqlldr|sqlplus)[ \t]+\\*[\"']?\w+/([^\s@\"'/]+)", _odd),
    (r"\b(?:isql|osql|tsql|security[ \t]+import)\b[^\n|]*?[ \t]-P[ \t]+" + _WORD, _odd),
    (r"\b(?:signtool|certutil|pvk2pfx)\b[^\n|]*?[ \t][/-](?:p|pi|po)[ \t]+" + _WORD, _odd),
    (r"\bkeyctl[ \t]+p?add[ \t]+\S+[ \t]+\S+[ \t]+" + _WORD, _odd),
    (r"\bpulumi[ \t]+config[ \t]+set[ \t]+--secret[ \t]+\S+[ \t]+" + _WORD, _odd),
)
_GROUPS = (_HEADERS + _ADDRESSES + _COMMANDS, _FILES + _SENTENCES, _FURTHER, _LATER)
"""Searched separately: together they need more states than RE2 has memory for."""


LONGEST = 2_000
"""Bytes of a line in which a phrase is searched for. Some phrases may end far from where they begin, and searching
all of a long line for the end of each would take quadratic time."""


def phrase_spans(data: bytes) -> Iterator[Span]:
    """Yield the spans of values that the words before them give away."""
    if not _has_long_line(data):
        yield from _spans(data)
        return
    for first in (LONGEST, LONGEST // 2):  # a phrase that one way of cutting divides is whole in the other
        yield from _spans(_cut(data, first))


def _has_long_line(data: bytes) -> bool:
    """Whether any line is longer than `LONGEST`. Skips ahead by the last line end within reach, to look at few."""
    start = 0
    while len(data) - start > LONGEST:
        end = data.rfind(b"\n", start, start + LONGEST + 1)
        if end < 0:
            return True
        start = end + 1
    return False


def _cut(data: bytes, first: int) -> bytes:
    """Cut long lines after ``first`` bytes and then every `LONGEST` bytes, at a nearby blank if there is one."""
    cut = bytearray(data)
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        at = start + first
        while at < end:
            blank = max(data.rfind(b" ", at - LONGEST // 4, at), data.rfind(b"\t", at - LONGEST // 4, at))
            at = at if blank < 0 else blank
            cut[at] = ord("\n")
            at += LONGEST
        start = end + 1
    return bytes(cut)


def _spans(data: bytes) -> Iterator[Span]:
    for group in range(len(_GROUPS)):
        yield from _spans_of(group, data)


def _spans_of(group: int, data: bytes) -> Iterator[Span]:
    lines = list(_lines(group, data))
    text = _BETWEEN.join(data[start:end] for start, end in lines)
    starts = list(accumulate((end - start + len(_BETWEEN) for start, end in lines), initial=0))
    for number in _matching(group, text) if lines else ():
        pattern, judge = _compiled(group)[number]
        picky = judge in _PICKY
        for first, last in pattern.spans(text):
            raw = text[first : min(last, first + JUDGED)]
            if picky and _MARKED.search(raw) is None:
                continue  # an ordinary word, as most are
            shown = raw.decode("utf-8", "replace")
            if judge(shown.strip("\\\"'`")):
                line = bisect_right(starts, first) - 1
                offset = lines[line][0] - starts[line]
                yield first + offset, last + offset


_BETWEEN = b"\n\0\n"
"""Separator between lines that are not adjacent: no phrase matches across it."""


_OVER_LINES = 2
"""The group with phrases that may continue in the next line."""
_BEHIND = re.compile(rb"(?:\n[ \t]*)*[^\n]*")
"""Blank lines and the line after them, in which a phrase may continue."""


def _lines(group: int, data: bytes) -> Iterator[Span]:
    """Yield the spans of the few lines that contain any of the group's phrases; adjacent lines as one span."""
    start = end = seen = -1
    for first, last in _either(group).spans(data):
        begins = data.rfind(b"\n", 0, first + 1) + 1  # a match may begin with the line end before
        ends = data.find(b"\n", max(last - 1, begins))
        ends = len(data) if ends < 0 else ends
        if ends <= seen:
            continue
        seen = ends
        if group == _OVER_LINES and (behind := _BEHIND.match(data, ends)):
            ends = behind.end()
        if start < 0 or begins > end + 1:
            if start >= 0:
                yield start, end
            start = begins
        end = max(end, ends)
    if start >= 0:
        yield start, end


@cache
def _either(group: int) -> MatchFinder:
    """One pattern for the whole group, to select lines; which phrases match in them is searched afterwards."""
    patterns = [_narrow(pattern, judge) for pattern, judge in _GROUPS[group]]
    return finder("|".join(patterns), ignore_case=True, captures=False, memory=16 << 20)


_RUN = re.compile(r"(\[\^?(?:\\.|[^\]\\])+\])(?:\+|\{\d+,\d*\})")


_VALUES = (
    *(_WORD, r"([^\s\"']+)", r"([^\s\"'`]+)", r"([^\s\"'`«“]+)", r"([^\s|]+)"),
    *(r"([^\s\"'`]{10,40})", r"([^\s@:/\"']+)", r"([^\s&\"'<>#]{8,})"),
)
"""The value groups of most patterns, which `_narrow` can replace by stricter ones."""


def _narrow(pattern: str, judge: Judge) -> str:
    """Make a pattern stricter where its judge accepts no ordinary word. It may only be used to select lines."""
    if (stricter := _STRICTER.get(judge)) is None:
        return pattern
    for value in _VALUES:
        if value in pattern:
            return pattern.replace(value, _RUN.sub(partial(_stricter_run, stricter), value), 1)
    return pattern


def _stricter_run(stricter: Callable[[str], str], run: re.Match[str]) -> str:
    return stricter(run[1])


def _with_mark(letter: str, least: int) -> str:
    """A pattern for ``least`` or more of ``letter``, at least one of them a mark."""
    mark = rf"(?-i:{_MARK})"
    early = [rf"{letter}{{{before}}}{mark}{letter}{{{least - before - 1},}}" for before in range(least - 1)]
    return "(?:" + "|".join([*early, rf"{letter}{{{least - 1},}}{mark}{letter}*"]) + ")"


def _with_kinds(letter: str, *kinds: str) -> str:
    """A pattern for a run of ``letter`` with two of these kinds of characters in it.

    Characters beyond ASCII count as any kind.
    """
    others = {kind: "".join(other for other in kinds if other != kind) for kind in kinds}
    ways = [f"(?-i:[{kind}]){letter}*(?-i:[{other}])" for kind, other in others.items()]
    return f"{letter}*(?:{'|'.join(ways)}){letter}*"


_BEYOND = r"\x{80}-\x{10FFFF}"
_CAPITAL, _DIGIT, _SIGN = f"A-Z{_BEYOND}", f"0-9{_BEYOND}", "!#$%^&*=+?~_"
_STRICTER: dict[Judge, Callable[[str], str]] = {
    _odd: lambda letter: _with_mark(letter, 6),
    _argument: lambda letter: _with_mark(letter, 6),
    _mixed: lambda letter: _with_mark(letter, 8),
    _guessed: lambda letter: _with_mark(letter, 8),
    _password: lambda letter: _with_kinds(letter, _CAPITAL, _DIGIT, _SIGN),
    _drawn: lambda letter: _with_kinds(letter, _CAPITAL, _DIGIT),
}
"""Judge → a pattern for all runs of a character that it accepts: `_drawn` needs a capital and a digit."""


def _matching(group: int, text: bytes) -> Iterable[int]:
    """The indexes of the group's phrases that may match a text: all of them where the set names none.

    It names none also when it runs out of memory.
    """
    return _which(group).Match(text) or range(len(_GROUPS[group]))


@cache
def _which(group: int) -> Any:
    """A set that tells which phrases of the group match a text."""
    return compiled_set([pattern for pattern, _ in _GROUPS[group]], memory=16 << 20)


@cache
def _compiled(group: int) -> tuple[tuple[MatchFinder, Judge], ...]:
    return tuple((finder(pattern, ignore_case=True, memory=1 << 20), judge) for pattern, judge in _GROUPS[group])
