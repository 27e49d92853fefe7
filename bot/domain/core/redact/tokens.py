"""Find tokens of known vendors, and random text after a prefix as vendors use it.

The patterns are RE2's, in linear time. Each matches greedily from a fixed beginning, so that no text is scanned
again for the next match. Length and randomness, which RE2 can't check, are judged afterwards.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from functools import cache

from bot.domain.core.redact import looks
from bot.domain.core.redact.engine import MatchFinder, Span, bytes_finder, finder
from bot.domain.core.redact.vocabulary import IDS

_RUN = r"[\w\-]"
_DOTTED = r"[\w\-.]"
_BASE64 = r"[\w\-+/=.]"

# Each: the prefix, the characters after it, and the least number of them.
_VENDORS: tuple[tuple[str, str, int], ...] = (
    (r"xox[a-z](?:\.xox[a-z])?-", _RUN, 6),  # Slack
    (r"xapp-", _RUN, 6),
    (r"gh[a-z]_", r"\w", 10),  # GitHub
    (r"github_pat_", r"\w", 10),
    (r"gl(?:[a-z]{2,6})-", _DOTTED, 16),  # GitLab: glpat-, gldt-, glrt-, glcbt-, gloas-, glagent-, glptt- …
    (r"GR1348941", _RUN, 16),
    (r"npm_", r"\w", 20),
    (r"pypi-", _RUN, 16),
    (r"rubygems_", r"\w", 20),
    (r"cio", r"[A-Za-z0-9]", 30),  # crates.io
    (r"dckr_[a-z]{2,4}_", _RUN, 16),  # Docker Hub
    (r"(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])", r"[A-Z0-9]", 12),  # AWS
    (r"ABSK", r"[\w+/=]", 60),  # AWS Bedrock
    (r"AIza", _RUN, 30),  # Google
    (r"GOCSPX-", _RUN, 16),
    (r"ya29\.", _DOTTED, 16),
    (r"1//0", _RUN, 24),
    (r"AQ\.Ab", _RUN, 24),
    (r"d[or]{1,2}[a-z]{0,2}_v1_", r"\w", 20),  # DigitalOcean: dop_v1_, doo_v1_, dor_v1_
    (r"HRKU-", _RUN, 20),  # Heroku
    (r"FlyV1 (?:fm|fo)\d[a-z]?_", _BASE64, 16),  # Fly
    (r"f[mo]\d[a-z]?_", _BASE64, 40),
    (r"NR[A-Z]{1,2}-", _RUN, 16),  # New Relic: NRAK-, NRII-, NRAA-, NRJS- …
    (r"sntry[a-z]_", _BASE64, 20),  # Sentry
    (r"gl(?:sa|c)_", _BASE64, 16),  # Grafana
    (r"tskey-[a-z]+-", _RUN, 10),  # Tailscale
    (r"hv[sbr]\.", _RUN, 16),  # HashiCorp Vault
    (r"SG\.", _DOTTED, 30),  # SendGrid
    (r"key-", r"[0-9a-f]", 32),  # Mailgun
    (r"xkeysib-", _RUN, 30),  # Brevo
    (r"xsmtpsib-", _RUN, 30),
    (r"(?:sk|rk|pk)_(?:live|test|prod)_", r"\w", 10),  # Stripe, Clerk
    (r"whsec_", _BASE64, 16),
    (r"EAAA", _RUN, 40),  # Square
    (r"EAA[A-Z]", r"[A-Za-z0-9]", 40),  # Facebook
    (r"sq0[a-z]{3}-", _RUN, 16),
    (r"A21AA", _RUN, 40),  # PayPal
    (r"access_token\$(?:production|sandbox)\$", r"[\w$]", 20),
    (r"shp[a-z]{2,3}_", r"\w", 20),  # Shopify
    (r"secret_", r"[A-Za-z0-9]", 40),  # Notion
    (r"ntn_", r"\w", 30),
    (r"lin_(?:api|oauth)_", r"\w", 20),  # Linear
    (r"fig[a-z]_", _RUN, 20),  # Figma
    (r"pat[A-Za-z0-9]{14}\.", r"[0-9a-f]", 32),  # Airtable
    (r"AT[AC]TT3x", _BASE64, 20),  # Atlassian
    (r"ATBB", r"[\w=]", 24),
    (r"sk-", _RUN, 12),  # OpenAI, Anthropic, OpenRouter, DeepSeek
    (r"r8_", r"\w", 20),  # Replicate
    (r"pplx-", r"\w", 20),  # Perplexity
    (r"gsk_", r"\w", 20),  # Groq
    (r"xai-", r"\w", 20),  # xAI
    (r"hf_", r"\w", 20),  # Hugging Face
    (r"nvapi-", _RUN, 20),
    (r"tvly-", _RUN, 16),
    (r"pcsk_", r"\w", 20),  # Pinecone
    (r"lsv2_[a-z]{2}_", r"\w", 20),  # LangSmith
    (r"[A-Za-z0-9]{14}\.atlasv1\.", _RUN, 20),  # HCP Terraform
    (r"dp\.[a-z]{2,6}\.", _DOTTED, 20),  # Doppler
    (r"ops_eyJ", _BASE64, 20),  # 1Password
    (r"AGE-SECRET-KEY-", r"\w", 20),
    (r"pscale_[a-z]+_", _DOTTED, 16),  # PlanetScale
    (r"sb[a-z]?_", r"\w", 30),  # Supabase
    (r"dapi", r"[0-9a-f-]", 32),  # Databricks
    (r"sq[a-z]_", r"[0-9a-f]", 32),  # SonarQube
    (r"AKCp", r"[A-Za-z0-9]", 30),  # Artifactory
    (r"cmVmdGtu", r"[A-Za-z0-9]", 30),
    (r"oy2", r"[a-z0-9]", 40),  # NuGet
    (r"PMAK-", _RUN, 30),  # Postman
    (r"pul-", r"\w", 32),  # Pulumi
    (r"bk[a-z]{1,3}_", r"\w", 20),  # Buildkite
    (r"CCI[A-Z]{3}_", r"\w", 20),  # CircleCI
    (r"nf[a-z]_", r"\w", 20),  # Netlify
    (r"vc[a-z]_", r"\w", 20),  # Vercel
    (r"dt0[a-z]\d\d\.", _DOTTED, 24),  # Dynatrace
    (r"EZ[AT]K", r"[A-Za-z0-9]", 40),  # EasyPost
    (r"rzp_(?:live|test)_", r"\w", 10),  # Razorpay
    (r"FLW[A-Z]+(?:_TEST)?-", _RUN, 12),  # Flutterwave
    (r"LTAI", r"[A-Za-z0-9]", 12),  # Alibaba
    (r"AKID", r"[A-Za-z0-9]", 28),  # Tencent
    (r"CFPAT-", _RUN, 20),  # Contentful
    (r"v1\.0-[0-9a-f]{8,}-", r"[0-9a-f]", 40),  # Cloudflare's origin CA
    (r"ph[cxs]_", r"\w", 20),  # PostHog
    (r"sl\.", _RUN, 60),  # Dropbox
    (r"pat-[a-z]{2}\d-", r"[0-9a-f-]", 32),  # HubSpot
    (r"(?:sdk|mob|api)-[0-9a-f]{8}-[0-9a-f]{4}-", r"[0-9a-f-]", 14),  # LaunchDarkly
    (r"access-(?:sandbox|development|production)-", r"[0-9a-f-]", 30),  # Plaid
    (r"(?:live|test)_", r"[0-9a-f]", 32),  # Lob
    (r"u\+", r"[\w\-+]", 18),  # PagerDuty
    (r"aio_", r"[A-Za-z0-9]", 24),  # Adafruit
    (r"SK", r"[0-9a-f]", 32),  # Twilio
    (r"AC", r"[0-9a-f]", 32),
    (r"AQVN", _RUN, 30),  # Yandex
    (r"t1\.", _DOTTED, 80),
    (r"sha256~", _RUN, 40),  # OpenShift
    (r"K10[0-9a-f]{64}::", r"[\w:]", 16),  # k3s
    (r"SWMTKN-1-", _RUN, 40),  # Docker Swarm
    (r"IGQV", _RUN, 40),  # Instagram
    (r"A{16,22}", r"[\w%]", 40),  # Twitter
    (r"AQE", r"[\w\-+/]", 60),  # Adyen
    (r"oauth:", r"[a-z0-9]", 30),  # Twitch
    (r"RWRTY0Iy", _BASE64, 100),  # minisign
    (r"npg_", r"[A-Za-z0-9]", 10),  # Neon
    (r"(?:IQoJb3JpZ2lu|F[wQ]oGZXIvYXdz)", r"[\w+/=%]", 60),  # AWS' session tokens
    (r"GOOG1E", r"[A-Z0-9]", 20),  # Google Cloud Storage's HMAC keys
    (r"4/0A", _RUN, 30),  # Google's authorisation codes
    (r"amzn\.mws\.", r"[0-9a-f-]", 32),
    (r"amzn1\.oa2-cs\.v1\.", r"[0-9a-f]", 40),  # Login with Amazon
    (r"x[ap][a-z]t-", r"[0-9a-f-]", 32),  # Axiom
    (r"ovsxat_", r"[0-9a-f-]", 32),  # Open VSX
    (r"dG9rO", r"[A-Za-z0-9+/=]", 40),  # Intercom: base64 of tok:…
    (r"BSA", r"[\w\-]", 26),  # Brave
    (r"cflt", r"[\w+/]", 56),  # Confluent
    (r"AVNS_", _RUN, 16),  # Aiven
    (r"5Aep861", r"[\w.\-]", 40),  # Salesforce's refresh tokens
    (r"ATTA", r"[0-9A-Za-z]", 64),  # Trello
    (r"[xyztuv]prv", r"[A-Za-z0-9]", 90),  # BIP 32
    (r"nsec1", r"[a-z0-9]", 50),  # Nostr
    (r"(?:AgE[A-Z]|MDAx|MDAy)", r"[\w+/=\-]", 90),  # macaroons
    (r"st\.[0-9a-f]{16,}\.", r"[0-9a-f.]", 32),  # Infisical
    (r"(?:ptr|tsec|ory_[a-z]{2,3}|nyk_v0|syt)_", r"[\w+/=.\-]", 20),
    (r"(?:depot_(?:org|project)|zpka|zpck|xau|jina)_", r"\w", 24),
    (r"signkey-[a-z]+-", r"[0-9a-f]", 32),  # Inngest
    (r"key_", r"[0-9a-f]", 64),  # Cursor
    (r"00D\w{9,15}!", r"[\w.]", 60),  # Salesforce's sessions
    (r"[0-9a-f]{24}:", r"[0-9a-f]", 64),  # Ghost
    (r"0\.[0-9a-f]{8}-", r"[\w+/=.:\-]", 60),  # Bitwarden
    (r"act\.", r"[\w!]", 40),  # TikTok
    (r"1000\.[0-9a-f]{32}\.", r"[0-9a-f]", 32),  # Zoho
    (r"(?:mfa\.|sess-)", _RUN, 40),  # Discord, OpenAI
    (r"secret_[a-z]+_[0-9a-f]{32}\.", r"\w", 20),  # Lambda
    (r"[0-9a-f]{36}NR", r"[AL]", 2),  # New Relic's licences
    (r"[a-z]{2}\d\dxx[0-9a-f]{30}NR", r"[AL]", 2),
    (r"v1\.", r"[0-9a-f]", 40),  # GitHub's app installations, before ghs_
    (r"[um]\d{6,8}-", r"[0-9a-f]", 24),  # Uptime Robot
    (r"(?:md|fc|p8e|ico)-", _RUN, 20),  # Mandrill, Firecrawl, Adobe, Infracost
    (r"(?:tk|pat|pnu|fw)_", r"[a-z0-9]", 26),  # ntfy
    (r"KEY[0-9A-Z]{32}_", r"\w", 16),  # Telnyx
    (r"configcat-(?:sdk|proxy)-\d/", r"[\w/\-]", 30),
    (r"A3-[A-Z0-9]{6}-", r"[A-Z0-9-]", 20),  # 1Password's secret key
    (r"sg[a-z]_", r"[0-9a-f_]", 40),  # Sourcegraph
    (r"(?:sk|rk|ak|waka)[_-](?:[a-z]{2,6}[_-])?[0-9a-f]{8}-[0-9a-f]{4}-", r"[0-9a-f-]", 14),
    (r"SCRAM-SHA-\d+\$\d+:", r"[\w+/=$:]", 40),
    (r"md5", r"[0-9a-f]", 32),  # PostgreSQL's hash
    (r"gAAAAA[A-D]", r"[\w\-=]", 60),  # Fernet
    (r"base64url\.bearer\.authorization\.k8s\.io\.", _RUN, 16),  # what kubectl exec sends as a sub-protocol
    (r"eyJ", _DOTTED, 12),  # JWT, JWE (RFC 7519, 7516): a base64url object, always {"… first
    (r"v[1-4]\.(?:local|public)\.", _DOTTED, 24),  # PASETO
    (r"b3BlbnNzaC1rZXktdjE", _BASE64, 10),  # an OpenSSH private key without its first line
    (r"LS0tLS1CRUdJTi", _BASE64, 20),  # PEM once more in base64, as in a kubeconfig
    (r"(?:pat|sat|api_(?:live|sandbox)(?:_[a-z]{2})?|ser|vk1\.a|snyk_[a-z]+|STS|VF\.DM|VF\.WS)\.", _DOTTED, 22),
    (r"(?:prd|sbx):", _DOTTED, 40),  # Sumsub
    (r"(?:sc|ext|scauth)_[a-z0-9]{5,30}\.[a-z0-9]{4,6}\.acc[_-]", _BASE64, 30),  # Authress
    (r"dn(?:key|api)-", _RUN, 30),  # Defined Networking
    (r"api_org_", r"\w", 30),  # Hugging Face's organisations
    (r"(?:packagist_[a-z]{3}|(?:live|test)_pub|c[ks])_", r"[0-9a-f]", 31),  # Packagist, Lob, WooCommerce
    (r"s-s4t2[a-z]{2}-", r"[0-9a-f]", 60),  # 42's intra
    (r"(?:RGAPI|[ps]k-lf)-", r"[0-9a-f-]", 36),  # Riot Games, Langfuse
    (r"endr\+", r"\w", 16),  # Endor Labs
    (r"(?:essu|mb)_", r"[\w+/=]", 40),  # Elastic, Metabase
    (r"sec-c-", r"[\w+/=\-]", 36),  # PubNub
    (r"4b1d", r"[A-Za-z0-9]", 38),  # ClickHouse
    (r"YC[a-zA-Z]", r"[\w\-]", 37),  # Yandex's storage
    (r"K00", r"[\w+/]", 28),  # Backblaze
    (r"SCW", r"[A-Z0-9]", 17),  # Scaleway
    (r"EXO", r"[0-9a-f]", 24),  # Exoscale
    (r"AKLT", r"[A-Za-z0-9=]", 30),  # Volcengine
    (r"fnA[A-Z]", r"[\w\-]", 36),  # Fauna
    (r"ZXlK", r"[\w+/=\-]", 60),  # a JWT once more in base64
    (r"TlRMTVNTUA", r"[\w+/=]", 20),  # NTLM's messages
    (r"[a-z][a-z0-9]{1,11}_(?:pat|sat|aat|tok|token|secret|apikey|sk)_", r"[A-Za-z0-9]", 16),
    (r"PuTTY-User-Key-File-\d: ", r"[^\n]", 400),
)

_ODD = tuple(
    r"(?:^|[^\w])" + pattern
    for pattern in (
        r"(\d{8,10}:AA[\w\-]{30,40})",  # Telegram
        r"([MNO][\w\-]{22,27}\.[\w\-]{6,7}\.[\w\-]{27,40})",  # Discord
        r"([0-9a-f]{32}-us\d{1,2})\b",  # Mailchimp
        r"((?i:00)[\w\-]{40})\b",  # Okta
        r"([sb]\.[A-Za-z0-9]{24})\b",  # HashiCorp Vault before 1.10
        r"(\w{3}8Q~[\w~.\-]{31,34})",  # Azure client secrets
        r"(\w{6}_\w{29}_mmk)",  # MaxMind
        r"(\d/\d{13,17}/\d{13,17}:[0-9a-f]{32})",  # Asana
        r"(?:prod|dev|preview):[\w\-]{1,60}\|([\w=+/]{40,})",  # Convex
        r"(\w{6}\.\w{6}:[\w\-]{40,44})",  # Ably
        r":[a-z]{1,20}\.([0-9a-f]{56,64})\b",  # Unleash
        r":\d{1,6}:([0-9a-fA-F]{32}:[0-9a-fA-F]{32}):::",  # NTLM
        r"(?:aad3b435b51404ee){2}:([0-9a-f]{32})",
        r"::[\w.\-]*:([0-9a-fA-F]{16}:[0-9a-fA-F]{32}:[0-9a-fA-F]{16,})",
        r"user:gh\.[\w.\-]+:([\w\-]{22})\b",  # Apollo
        r"(?:token-[a-z0-9]{5}|kubeconfig-[\w\-]{3,40}):([a-z0-9]{50,})",  # Rancher
        r"(\d{15,16}\|[\w\-]{27,40})",  # Facebook's apps
        r"([a-z0-9]{11}A{10}[\w\-=]{43})",  # Dropbox
        r"(?i:\w*contribsys\w*)[=: ]+([0-9a-f]{8}:[0-9a-f]{8})\b",  # Sidekiq
        r"(\w{3}7Q~[\w~.\-]{31,34})",
        r"([a-z0-9]{6}\.[a-z0-9]{16})(?:[\s,;:\"')\]]|$)",  # kubeadm; see `_is_bootstrap`
        r"[\w.\-]+-\d+:([A-Za-z0-9+/]{86}==)",  # Nix's signing keys
        r"\{(?:PLAIN|CLEAR(?:TEXT)?)\}([^\s:\"']{4,})",  # Dovecot
        r"(\$(?:2[abxy]?|1|5|6|7|y|gy|apr1|argon2(?:id|i|d)|scrypt|pbkdf2(?:-sha\d+)?|sha1)\$[\w./$=,+\-]{8,})",
        r"(\{(?:S?SHA\d*|S?MD5|CRYPT|PBKDF2[\w-]*|ARGON2)\}[\w+/=.$]{8,})",
        r"((?:pbkdf2_sha\d+|bcrypt_sha\d+|bcrypt|argon2)\$[\w./$=,+\-]{16,})",
    )
)

_URLS = (
    r"hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/([\w/\-]{6,})",
    r"(?:discord|discordapp)\.com/api(?:/v\d+)?/webhooks/([\w/\-]{20,})",
    r"[\w\-.]*\.?(?:webhook\.office|outlook\.office|logic\.azure)\.com[:\d]*/(?:webhookb2|webhook|workflows)/([\w/@\-]{20,})",
    r"chat\.googleapis\.com/v1/spaces/[\w\-]+/messages\?([^\s\"'<>]{10,})",
    r"api\.telegram\.org/(?:file/)?bot([\w:\-]{20,})",
    r"(?:hooks\.zapier|hook\.[\w.]*make|maker\.ifttt|hooks\.airtable)\.com/([\w/\-]{16,})",
    r"events\.pagerduty\.com/(?:integration|generic/\S{4,12})/([\w\-]{16,})",
    r"/t/([a-z]{2}-[0-9a-f]{8}-[0-9a-f\-]{27})",  # Anaconda
    r"(?:hc-ping\.com|ping\.ohdear\.app)/([\w\-]{16,})",
    r"\.sumologic\.com/receiver/v1/http/([\w\-=]{20,})",
    r"(?:infura\.io/v3|alchemy\.com/(?:nft/)?v\d|alchemyapi\.io/v\d|quiknode\.pro|rpc\.ankr\.com/\w{1,24})/([\w\-]{24,})",
    r"/hooks/((?:[a-z0-9]{26}|\w{17}/\w{40,})\b)",  # Mattermost, Rocket.Chat
    r"open\.(?:feishu|larksuite)\.(?:cn|com)/open-apis/bot/v2/hook/([\w\-]{16,})",
)


def token_spans(data: bytes) -> Iterator[Span]:
    """Yield the spans of tokens of known vendors."""
    for start, end in _vendors().spans(data):
        if _is_token(data[start:end]):
            yield start, end
    for start, end in _odd().spans(data):
        if end - start != 23 or _is_bootstrap(data, start, end):
            yield start, end
    yield from _long_keys(data)
    if _seldom().first(data)[0] < 0:
        return
    yield from _urls().spans(data)
    for start, end in _runs().spans(data):
        if _RECOGNISED.search(data[start:end]):
            yield start, end


_BOOTSTRAP = re.compile(rb"([0-9a-z]{6})\.([0-9a-z]{16})")


def _is_bootstrap(data: bytes, start: int, end: int) -> bool:
    """Whether a match of this length is no ``word.id``, as in hosts and files, but kubeadm's token."""
    match = _BOOTSTRAP.fullmatch(data, start, end)
    if match is None:
        return True  # of another form
    first, second = (part.decode() for part in match.groups())
    return (looks.is_hex(first) or any(map(str.isdigit, first))) and not (second.isalpha() or second.isdigit())


_LONG_KEY = 88
"""Characters of 64 bytes in base64, as Azure's storage keys have."""
_KEY_LETTERS = re.compile(rb"[A-Za-z0-9+/]{86}")
_DIGEST = re.compile(rb"(?i)sha-?512\W?\Z")


@cache
def _padding() -> MatchFinder:
    """RE2 finds two signs in a quarter of the time that `bytes.find` takes."""
    return bytes_finder(b"==")


def _long_keys(data: bytes) -> Iterator[Span]:
    """Yield the spans of 64 random bytes in base64, where they are no SHA-512. Few lines contain ``==``."""
    for _, end in _padding().spans(data):
        start = end - _LONG_KEY
        if start < 0 or _KEY_LETTERS.fullmatch(data, start, end - 2) is None:
            continue
        if _KEY_LETTERS.fullmatch(data, max(0, start - 1), end - 3) or _DIGEST.search(
            data, max(0, start - 8), start
        ):
            continue
        if looks.changes(data[start : end - 2].decode()) > 0.4:
            yield start, end


def random_spans(data: bytes) -> Iterator[Span]:
    """Yield the spans of random text after a prefix as vendors use it, also for unknown vendors."""
    for form, judge, mixed in _RANDOM:
        for start, end in _random(form).spans(data):
            found = data[start:end]
            if mixed and found.islower():
                continue  # mostly names of pods and files
            prefix = _prefix(form).match(found)
            if prefix is not None:
                body = found[prefix.end() :][: looks.MOST]
                if judge(prefix.group(1).decode(), body.decode(), data[end : end + 1]):
                    yield start, _whole(data, end)


_REST = re.compile(rb"(?:[+/][A-Za-z0-9+/]{0,256}|\.[\w\-]{16,256}){1,8}={0,2}|=+")


def _whole(data: bytes, end: int) -> int:
    """The end including a further part of base64, or a second part after a dot."""
    rest = _REST.match(data, end)
    return rest.end() if rest else end


@cache
def _vendors() -> MatchFinder:
    alternatives = "|".join(f"{begin}{goes_on}{{{min(least, 8)}}}{goes_on}*" for begin, goes_on, least in _VENDORS)
    return finder(rf"\b(?:{alternatives})", captures=False)


@cache
def _begins() -> re.Pattern[bytes]:
    """A pattern whose group number is that of the vendor."""
    return re.compile("|".join(f"({begin})" for begin, _, _ in _VENDORS).encode(), re.ASCII)


@cache
def _runs() -> MatchFinder:
    return finder(r"[A-Za-z0-9_+/]{42,}={0,2}")


_MARKS = r"AZDO|JQQJ99|\+ASt|ACDb|\+ABa|\+AMC|\+ACR|\+ASb|\+AEh|\+ARm|\+AEG|AIoT|APIM|ACRC|AzSe|AzFu|AzCa"
_NGROK = "[1-3][A-Za-z0-9]{26}_[A-Za-z0-9]{20}"
_RECOGNISED = re.compile(
    # Azure's keys, which have a mark of the service before their checksum.
    rb"^.{76}AZDO.{4}$|^.{40,60}JQQJ99.{20,32}$|^.{76}(?:\+ASt|ACDb|\+ABa|\+AMC).{5,6}==$"
    rb"|^.{32,42}(?:\+ACR|\+ASb|\+AEh|\+ARm|\+AEG|AIoT|APIM|ACRC|AzSe|AzFu|AzCa).{5,10}=?$"
    rb"|^" + _NGROK.encode() + rb"[A-Za-z0-9]{0,2}$"
)


@cache
def _odd() -> MatchFinder:
    return finder("|".join(_ODD))


@cache
def _urls() -> MatchFinder:
    return finder("|".join(_URLS))


@cache
def _seldom() -> MatchFinder:
    """A fast check whether any of `_urls` or `_runs` may match: most text has neither."""
    return finder("|".join([_MARKS, rf"\b{_NGROK}", *_URLS]), captures=False)


_WORD = r"(?:[a-z][a-z0-9]{1,15}|[A-Z][A-Z0-9]{1,15})"
_TokenForm = tuple[str, str]
_PREFIXED: _TokenForm = (rf"({_WORD}(?:[_-][A-Za-z0-9]{{1,10}}){{0,3}}[_-])", r"[A-Za-z0-9]{20,}")
_HYPHENED: _TokenForm = (rf"({_WORD}(?:_|-(?:[a-z0-9]{{1,8}}-){{0,2}}))", r"[\w\-]{24,}")
_LONG: _TokenForm = ("()", r"[\w\-]{120,}")


@cache
def _random(form: _TokenForm) -> MatchFinder:
    """Without groups: finding their positions takes RE2 longer than finding the match."""
    return finder(rf"\b{form[0]}{form[1]}\b" if form is _PREFIXED else rf"\b{form[0]}{form[1]}", captures=False)


_PLACES = ("live", "prod", "production", "test", "dev", "staging", "sandbox")
"""Environments that vendors put into a prefix, so that test and production keys aren't confused."""


@cache
def _prefix(form: _TokenForm) -> re.Pattern[bytes]:
    return re.compile(rf"{form[0]}(?={form[1]})".encode(), re.ASCII)


def _is_token(found: bytes) -> bool:
    """Whether a match is long enough for its vendor, and not a word that happens to begin with the prefix."""
    match = _begins().match(found)
    if match is None or match.lastindex is None:
        return False
    begin, body = match.group(), found[match.end() :]
    if len(body) < _VENDORS[match.lastindex - 1][2]:
        return False
    if begin == b"LS0tLS1CRUdJTi":
        return b"PRIVATE KEY" in _decoded(found[:120])
    if begin == b"eyJ":
        return b"." in body or _holds_a_secret(found)
    text = body[: looks.MOST].decode()
    if begin != b"github_pat_" and _ANYBODYS.fullmatch(begin):
        return looks.is_random(text, 16)
    return "-" not in text or any(c.isdigit() or c.isupper() for c in text)


_ANYBODYS = re.compile(rb"[a-z][a-z0-9]+_(?:pat|sat|aat|tok|token|secret|apikey|sk)_")
_QUOTED = re.compile(rb'"([^"]{20,})"')


def _holds_a_secret(found: bytes) -> bool:
    """Whether base64-encoded JSON contains a random value: a pagination cursor doesn't."""
    values = _QUOTED.findall(_decoded(found[:1024].replace(b"-", b"+").replace(b"_", b"/")))
    return any(looks.is_random(value.decode("utf-8", "replace"), 20) for value in values)


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text[: len(text) // 4 * 4])
    except (binascii.Error, ValueError):
        return b""


def _is_prefixed(prefix: str, body: str, after: bytes) -> bool:
    first, *_ = words = prefix.rstrip("_-").replace("-", "_").lower().split("_")
    if len(words) > 1 and words[-1] in _PLACES and "_" in prefix and looks.is_random(body, 20):
        return True
    if first in IDS or words[-1] in IDS or (after in (b".", b"/", b":") and "-" in prefix):
        return False
    if looks.is_hex(body):
        named = any(word.endswith(("key", "token", "secret")) for word in words)
        return len(body) >= 32 and (named or (len(first) <= (8 if "_" in prefix else 4) and len(words) < 3))
    return looks.is_random(body, 20)


def _is_long(_: str, body: str, after: bytes) -> bool:
    """Whether it is a token without a prefix: too long for an id."""
    return after not in (b"/", b"=") and _is_base64url("", body, after)


def _is_base64url(prefix: str, body: str, _: bytes) -> bool:
    """Whether it is random base64url: with no more hyphens and underscores than chance would give."""
    signs = body.count("-") + body.count("_")
    kinds = (str.islower, str.isupper, str.isdigit)
    return (
        signs < len(body) / 6
        and not IDS & set(re.split("[_-]", prefix.lower()))
        and all(sum(map(kind, body)) > 1 for kind in kinds)
        and looks.changes(body) > 0.45
    )


_RANDOM: tuple[tuple[_TokenForm, Callable[[str, str, bytes], bool], bool], ...] = (
    (_PREFIXED, _is_prefixed, False),
    (_HYPHENED, _is_base64url, True),
    (_LONG, _is_long, True),
)
