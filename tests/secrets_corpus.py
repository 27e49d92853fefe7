"""Made-up secrets: how vendors' tokens look, and how people and programs write secrets down.

Each value is drawn anew and put together from parts, so that none of it is anybody's, and no scanner takes this
file for a leak.
"""

from __future__ import annotations

import base64
import json
import random
import string
import uuid
from collections.abc import Callable
from urllib.parse import quote

BASE62 = string.ascii_letters + string.digits
LOWER = string.ascii_lowercase + string.digits
UPPER = string.ascii_uppercase + string.digits
HEX = "0123456789abcdef"
URLSAFE = BASE62 + "-_"

Draw = Callable[[random.Random], str]


def run(length: int, letters: str = BASE62) -> Draw:
    """So many letters drawn from those; the first is no sign."""
    return lambda rng: rng.choice(letters[:16]) + "".join(rng.choices(letters, k=length - 1))


def uid(rng: random.Random) -> str:
    """A UUID."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def joined(*parts: str | Draw) -> Draw:
    """Parts one after the other."""
    return lambda rng: "".join(part if isinstance(part, str) else part(rng) for part in parts)


def _jwt(rng: random.Random) -> str:
    def part(data: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")

    head = part({"alg": "HS256", "typ": "JWT"})
    return f"{head}.{part({'sub': rng.randrange(10**9), 'iat': 1700000000})}.{run(43, URLSAFE)(rng)}"


def _jwe(rng: random.Random) -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"RSA-OAEP","enc":"A256GCM"}').decode().rstrip("=")
    return ".".join([head, *(run(n, URLSAFE)(rng) for n in (86, 16, 60, 22))])


def pem(kind: str) -> Draw:
    """A private key in PEM, of several lines."""

    def draw(rng: random.Random) -> str:
        body = "\n".join(run(64, BASE62 + "+/")(rng) for _ in range(6))
        return f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----"

    return draw


def _in_base64(draw: Draw) -> Draw:
    return lambda rng: base64.b64encode(draw(rng).encode()).decode()


TOKENS: dict[str, Draw] = {
    "Hugging Face": joined("h", "f_", run(34)),
    "Stripe live": joined("sk", "_live_", run(24)),
    "Stripe live, long": joined("sk", "_live_51", run(96)),
    "Stripe test": joined("sk", "_test_", run(24)),
    "Stripe restricted": joined("rk", "_live_", run(24)),
    "Stripe webhook": joined("wh", "sec_", run(32)),
    "Vault service": joined("hv", "s.", run(95, URLSAFE)),
    "Vault batch": joined("hv", "b.", run(140, URLSAFE)),
    "Vault, old": joined("s", ".", run(24)),
    "PyPI": joined("py", "pi-AgEIcHlwaS5vcmc", run(120, URLSAFE)),
    "Grafana service account": joined("gl", "sa_", run(32), "_", run(8, HEX)),
    "Grafana cloud": joined("gl", "c_eyJ", run(80)),
    "Tailscale auth": joined("ts", "key-auth-", run(12), "CNTRL-", run(32)),
    "Tailscale API": joined("ts", "key-api-", run(12), "CNTRL-", run(32)),
    "Tailscale client": joined("ts", "key-client-", run(12), "CNTRL-", run(32)),
    "Telegram": joined(run(10, string.digits[1:]), ":AA", run(33, URLSAFE)),
    "Telegram in a URL": joined(
        "https://api.telegram.org/bot", run(9, string.digits[1:]), ":AA", run(33), "/getMe"
    ),
    "Slack bot": joined("xo", "xb-", run(12, string.digits), "-", run(12, string.digits), "-", run(24)),
    "Slack user": joined("xo", "xp-", run(12, string.digits), "-", run(12, string.digits), "-", run(32, HEX)),
    "Slack app": joined("xa", "pp-1-A", run(10, UPPER), "-", run(13, string.digits), "-", run(64, HEX)),
    "Slack refresh": joined("xo", "xe-1-", run(146)),
    "Slack webhook": joined(
        "https://hooks.slack.com/services/T", run(8, UPPER), "/B", run(10, UPPER), "/", run(24)
    ),
    "GitHub classic": joined("gh", "p_", run(36)),
    "GitHub OAuth": joined("gh", "o_", run(36)),
    "GitHub app": joined("gh", "s_", run(36)),
    "GitHub refresh": joined("gh", "r_", run(76)),
    "GitHub fine-grained": joined("github", "_pat_", run(22), "_", run(59)),
    "GitLab personal": joined("gl", "pat-", run(20, URLSAFE)),
    "GitLab routable": joined("gl", "pat-", run(27, URLSAFE), ".01.", run(9, LOWER)),
    "GitLab deploy": joined("gl", "dt-", run(20, URLSAFE)),
    "GitLab runner": joined("gl", "rt-", run(20, URLSAFE)),
    "GitLab CI": joined("gl", "cbt-", run(2, HEX), "_", run(20, URLSAFE)),
    "GitLab OAuth": joined("gl", "oas-", run(64, HEX)),
    "GitLab runner, old": joined("GR1348", "941", run(20, URLSAFE)),
    "npm": joined("np", "m_", run(36)),
    "RubyGems": joined("ruby", "gems_", run(48, HEX)),
    "crates.io": joined("ci", "o", run(32)),
    "Docker personal": joined("dckr", "_pat_", run(27, URLSAFE)),
    "Docker organisation": joined("dckr", "_oat_", run(32, URLSAFE)),
    "AWS access key": joined("AK", "IA", run(16, UPPER)),
    "AWS temporary key": joined("AS", "IA", run(16, UPPER)),
    "AWS secret": joined("aws_secret_access_key = ", run(40, BASE62 + "+/")),
    "Google API key": joined("AI", "za", run(35, URLSAFE)),
    "Google client secret": joined("GOC", "SPX-", run(28, URLSAFE)),
    "Google access token": joined("ya", "29.a0", run(120, URLSAFE)),
    "Google refresh token": joined("1/", "/0", run(60, URLSAFE)),
    "Google service account": lambda rng: json.dumps({"private_key": pem("PRIVATE" + " KEY")(rng)}),
    "Azure storage": joined("AccountKey=", run(86, BASE62 + "+/"), "=="),
    "Azure SAS": joined("https://x.blob.core.windows.net/c?sv=2023-11-03&sp=r&sig=", run(43), "%3D"),
    "Azure client secret": joined(run(3), "8", "Q~", run(34, URLSAFE)),
    "DigitalOcean personal": joined("do", "p_v1_", run(64, HEX)),
    "DigitalOcean OAuth": joined("do", "o_v1_", run(64, HEX)),
    "Heroku": joined("HRK", "U-AA", run(58, URLSAFE)),
    "Heroku, old": joined("HEROKU_API_KEY=", uid),
    "Linode": joined("LINODE_TOKEN=", run(64, HEX)),
    "Fly": joined("Fly", "V1 fm2_", run(120, BASE62 + "+/")),
    "Cloudflare": joined("CLOUDFLARE_API_TOKEN=", run(40, URLSAFE)),
    "Cloudflare global": joined("X-Auth-Key: ", run(37, HEX)),
    "Datadog": joined("DD_API_KEY=", run(32, HEX)),
    "Datadog app": joined("dd-application-key: ", run(40, HEX)),
    "New Relic user": joined("NR", "AK-", run(27, UPPER)),
    "New Relic insights": joined("NR", "II-", run(32, URLSAFE)),
    "Sentry organisation": joined("sn", "trys_eyJ", run(100, BASE62 + "+/"), "=_", run(43, BASE62)),
    "Sentry user": joined("sn", "tryu_", run(64, HEX)),
    "Sentry DSN": joined("https://", run(32, HEX), "@o", run(6, string.digits), ".ingest.sentry.io/4505"),
    "PagerDuty": joined("Authorization: Token token=", run(20, URLSAFE)),
    "Twilio": joined("SK", run(32, HEX)),
    "SendGrid": joined("S", "G.", run(22, URLSAFE), ".", run(43, URLSAFE)),
    "Mailgun": joined("ke", "y-", run(32, HEX)),
    "Mailchimp": joined(run(32, HEX), "-us", "14"),
    "Postmark": joined("X-Postmark-Server-Token: ", uid),
    "Brevo": joined("xkey", "sib-", run(64, HEX), "-", run(16)),
    "Square": joined("EA", "AA", run(60, URLSAFE)),
    "Square, old": joined("sq0", "atp-", run(22, URLSAFE)),
    "PayPal": joined("access_token$", "production$", run(16, LOWER), "$", run(32, HEX)),
    "Shopify": joined("shp", "at_", run(32, HEX)),
    "Notion": joined("nt", "n_", run(46)),
    "Notion, old": joined("sec", "ret_", run(43)),
    "Linear": joined("lin", "_api_", run(40)),
    "Figma": joined("fig", "d_", run(40, URLSAFE)),
    "Asana": joined("ASANA_TOKEN=2/", run(16, string.digits), "/", run(16, string.digits), ":", run(32, HEX)),
    "Airtable": joined("pa", "t", run(14), ".", run(64, HEX)),
    "Atlassian": joined("ATA", "TT3x", run(180, URLSAFE), "=", run(8, HEX.upper())),
    "Atlassian Connect": joined("ATC", "TT3x", run(180, URLSAFE), "=", run(8, HEX.upper())),
    "Bitbucket": joined("AT", "BB", run(32)),
    "Discord bot": joined("M", run(25), ".", run(6, URLSAFE), ".", run(38, URLSAFE)),
    "Discord webhook": joined("https://discord.com/api/webhooks/", run(18, string.digits), "/", run(68, URLSAFE)),
    "Teams webhook": joined(
        "https://acme.webhook.office.com/webhookb2/", uid, "@", uid, "/IncomingWebhook/", run(32, HEX), "/", uid
    ),
    "OpenAI": joined("sk", "-", run(48)),
    "OpenAI project": joined("sk", "-proj-", run(120, URLSAFE)),
    "Anthropic": joined("sk", "-ant-api03-", run(93, URLSAFE), "AA"),
    "Cohere": joined("COHERE_API_KEY=", run(40)),
    "Replicate": joined("r", "8_", run(37)),
    "Perplexity": joined("pp", "lx-", run(48)),
    "Groq": joined("gs", "k_", run(52)),
    "xAI": joined("xa", "i-", run(80)),
    "Terraform": joined(run(14), ".atlas", "v1.", run(67)),
    "Doppler": joined("dp.", "pt.", run(43)),
    "Doppler service": joined("dp.", "st.prod.", run(43)),
    "1Password": joined("op", "s_eyJ", run(200)),
    "age": joined("AGE-SECRET", "-KEY-1", run(58, UPPER)),
    "PKCS8": pem("PRIVATE" + " KEY"),
    "RSA": pem("RSA PRIVATE" + " KEY"),
    "OpenSSH": pem("OPENSSH PRIVATE" + " KEY"),
    "PGP": pem("PGP PRIVATE" + " KEY BLOCK"),
    "PuTTY": lambda rng: "Private-Lines: 2\n" + run(64)(rng) + "\n" + run(64)(rng),
    "JWT": _jwt,
    "JWE": _jwe,
    "bcrypt": joined("$2", "y$10$", run(53, BASE62 + "./")),
    "crypt": joined("$", "6$", run(16), "$", run(86, BASE62 + "./")),
    "apr1": joined("bob:$", "apr1$", run(8), "$", run(22, BASE62 + "./")),
    "Django's hash": joined("pbkdf2_", "sha256$600000$", run(22), "$", run(43, BASE62 + "+/"), "="),
    "otpauth": joined("otpauth://totp/x:bob?secret=", run(32, string.ascii_uppercase + "234567"), "&issuer=x"),
    "PlanetScale": joined("pscale", "_tkn_", run(43, URLSAFE)),
    "PlanetScale password": joined("pscale", "_pw_", run(43, URLSAFE)),
    "Supabase": joined("sb", "p_", run(40, HEX)),
    "Databricks": joined("da", "pi", run(32, HEX)),
    "Snyk": joined("SNYK_TOKEN=", uid),
    "SonarQube": joined("sq", "p_", run(40, HEX)),
    "Artifactory": joined("AK", "Cp", run(69)),
    "NuGet": joined("oy", "2", run(43, LOWER)),
    "Postman": joined("PMA", "K-", run(24, HEX), "-", run(34, HEX)),
    "Pulumi": joined("pu", "l-", run(40, HEX)),
    "Buildkite": joined("bk", "ua_", run(40, HEX)),
    "CircleCI": joined("CCI", "PAT_", run(22), "_", run(40, HEX)),
    "Netlify": joined("nf", "p_", run(36)),
    "Vercel": joined("VERCEL_TOKEN=", run(24)),
    "Dynatrace": joined("dt0", "c01.", run(24, UPPER), ".", run(64, UPPER)),
    "Okta": joined("Authorization: SSWS 00", run(40, URLSAFE)),
    "Duffel": joined("duffel", "_live_", run(43, URLSAFE)),
    "EasyPost": joined("EZ", "AK", run(54)),
    "Sumo Logic": joined("SUMO_ACCESS_KEY=", run(64)),
    "kubeconfig key": lambda rng: "client-key-data: " + _in_base64(pem("RSA PRIVATE" + " KEY"))(rng),
    "kubeconfig token": joined("    token: ", run(40)),
    "docker config": lambda rng: '{"auth": "' + _in_base64(joined("bob:", run(16)))(rng) + '"}',
    "LaunchDarkly": joined("sd", "k-", uid),
    "HubSpot": joined("pa", "t-na1-", uid),
    "Contentful": joined("CFP", "AT-", run(43, URLSAFE)),
    "Flutterwave": joined("FLWSECK", "_TEST-", run(32, HEX), "-X"),
    "LangSmith": joined("lsv2", "_pt_", run(32, HEX), "_", run(10, HEX)),
    "Pinecone": joined("pc", "sk_", run(64)),
    "NVIDIA": joined("nv", "api-", run(64, URLSAFE)),
    "Clerk": joined("sk", "_live_", run(40)),
    "PostHog": joined("ph", "x_", run(43)),
    "Render": joined("rn", "d_", run(28)),
    "E2B": joined("e2", "b_", run(40, HEX)),
    "Together": joined("tgp", "_v1_", run(43, URLSAFE)),
    "Firecrawl": joined("f", "c-", run(32, HEX)),
    "Resend": joined("re", "_", run(8), "_", run(24)),
    "Typeform": joined("tf", "p_", run(44, URLSAFE)),
    "ReadMe": joined("rd", "me_", run(70, LOWER)),
    "Prefect": joined("pn", "u_", run(36)),
    "Plaid": joined("access-", "production-", uid),
    "Yandex": joined("AQ", "VN", run(36, URLSAFE)),
    "OpenShift": joined("sha", "256~", run(43, URLSAFE)),
    "Docker Swarm": joined("SWM", "TKN-1-", run(50, LOWER), "-", run(25, LOWER)),
    "OpenRouter": joined("sk", "-or-v1-", run(64, HEX)),
    "Neon": joined("np", "g_", run(12)),
    "WakaTime": joined("wa", "ka_", uid),
    "Asana, bare": joined("2/", run(16, "12345678"), "/", run(16, "12345678"), ":", run(32, HEX)),
    "a token without a prefix": run(160, URLSAFE),
    "Alibaba": joined("LT", "AI5t", run(18)),
    "Intercom": _in_base64(
        joined("to", "k:", run(8, HEX), "_", run(4, HEX), "_", run(4, HEX), "_", run(12, HEX), ":1:0")
    ),
    "Brave": joined("BS", "A", run(28, URLSAFE)),
    "Azure DevOps new": joined(run(76), "AZDO", run(4)),
    "AWS session": joined("IQ", "oJb3JpZ2luX2Vj", run(300, BASE62 + "+/")),
    "AWS MWS": joined("am", "zn.mws.", uid),
    "Amazon LWA": joined("am", "zn1.oa2-cs.v1.", run(64, HEX)),
    "Axiom": joined("xa", "at-", uid),
    "Grafana old": lambda r: base64.b64encode(
        json.dumps({"k": run(32)(r), "n": "bot", "id": 1}).encode()
    ).decode(),
    "Confluent": joined("cf", "lt", run(60, BASE62 + "+/")),
    "Cloudflare tunnel": _in_base64(lambda r: json.dumps({"a": run(32, HEX)(r), "t": uid(r), "s": run(44)(r)})),
    "ngrok": joined("2", run(26), "_", run(21)),
    "GitHub old app": joined("v1", ".", run(40, HEX)),
    "Salesforce": joined("00", "D", run(12), "!AQ", run(94)),
    "Salesforce refresh": joined("5A", "ep861", run(80, URLSAFE)),
    "Trello": joined("AT", "TA", run(64, HEX), run(8, UPPER)),
    "Alchemy": joined("ht", "tps://eth-mainnet.g.alchemy.com/v2/", run(32, URLSAFE)),
    "Infura": joined("ht", "tps://mainnet.infura.io/v3/", run(32, HEX)),
    "xprv": joined("xp", "rv9s21ZrQH143K", run(95)),
    "nostr": joined("ns", "ec1", run(58, LOWER)),
    "macaroon": joined("Ag", "EUbG9jYXRpb24", run(120, BASE62 + "+/")),
    "Gotify": joined("X-", "Gotify-Key: A", run(14)),
    "UptimeRobot": joined("u", run(7, string.digits), "-", run(24, HEX)),
    "Inngest": joined("si", "gnkey-prod-", run(64, HEX)),
    "Trigger": joined("tr", "_prod_", run(20)),
    "Ghost": joined(run(24, HEX), ":", run(64, HEX)),
    "GCP HMAC": joined("GO", "OG1E", run(55, UPPER)),
    "Google code": joined("4/", "0A", run(70, URLSAFE)),
    "Cursor": joined("ke", "y_", run(64, HEX)),
    "Bitwarden": joined("0.", uid, ".", run(30), ":", run(22, BASE62 + "+/"), "=="),
    "Infisical": joined("st", ".", run(24, HEX), ".", run(32, HEX), ".", run(32, HEX)),
    "Keeper": joined("KS", "M_CONFIG=", _in_base64(joined('{"clientId":"', run(60), '"}'))),
    "Aiven": joined("AV", "NS_", run(19, URLSAFE)),
    "Ory": joined("or", "y_at_", run(43, URLSAFE), ".", run(43, URLSAFE)),
    "Zuplo": joined("zp", "ka_", run(32, HEX), "_", run(8, HEX)),
    "Depot": joined("de", "pot_org_", run(64, HEX)),
    "OpenVSX": joined("ov", "sxat_", uid),
    "Azure OpenAI new": joined(run(52), "JQQJ99", run(26)),
    "Azure ACR": joined(run(42), "+ACR", run(6)),
    "Azure storage bare": joined(run(76, BASE62 + "+/"), "+ASt", run(6), "=="),
    "Portainer": joined("pt", "r_", run(43, BASE62 + "+/"), "="),
}
"""By name, how a token looks, and what it stands in where it is known by that alone."""

PASSWORD = joined(run(5), "-", run(6))
"""What people take for a password."""

PHRASES: tuple[str, ...] = (
    "DB_PASS={}",
    "export SMTP_PASSWORD='{}'",
    "PGPASSWORD={} psql -h db -U app",
    "docker login -u bob -p {} registry.example",
    "curl -u me:{} https://api.example/v1",
    "curl --user me:{} https://api.example/v1",
    "Set-Cookie: sid={}; Path=/; HttpOnly",
    "Cookie: theme=dark; session={}",
    "mysql -h db -u root -p{} shop",
    "redis-cli -h cache -a {} ping",
    "sshpass -p {} ssh bob@host",
    'the password is "{}"',
    "password: {}",
    "db_password = {}",
    'db_password = "{}"',
    "GET /v1/x?token={}&page=2 HTTP/1.1",
    "GET /v1/x?api_key={} HTTP/1.1",
    "<password>{}</password>",
    "Server=db;Database=x;User Id=sa;Password={};Encrypt=true",
    "jdbc:postgresql://db/x?user=sa&password={}",
    "jdbc:sqlserver://db:1433;user=sa;password={};",
    "amqp://guest:{}@mq:5672/vhost",
    "mongodb+srv://app:{}@cluster0.example.net/x",
    "redis://:{}@cache:6379/0",
    "tool --password {} --verbose",
    "tool --password={} --verbose",
    "docker run -e SECRET={} image",
    "X-Api-Key: {}",
    "Proxy-Authorization: Basic {}",
    "passphrase: {}",
    '{{"pwd": "{}"}}',
    '{{"msg": "{{\\"password\\":\\"{}\\"}}"}}',
    "{{'password': '{}', 'user': 'bob'}}",
    "{{User:bob Password:{}}}",
    "export GITLAB_TOKEN={}",
    "kubectl create secret generic x --from-literal=password={}",
    "helm install x --set auth.password={}",
    'psql "host=db user=app password={} dbname=x"',
    "AWS_SECRET_ACCESS_KEY={}",
    "auth_token={}",
    "access token: {}",
    "secret = {}",
    "client_secret: {}",
    "machine example.com login bob password {}",
    "db.example:5432:shop:bob:{}",
    "requirepass {}",
    "ALTER USER bob WITH PASSWORD '{}';",
    "CREATE USER 'x'@'%' IDENTIFIED BY '{}';",
    "openssl enc -aes-256-cbc -pass pass:{}",
    "echo {} | docker login --password-stdin",
    "your temporary password is {}",
    "login as bob with password {}",
    "Password for bob: {}",
    "- name: DB_PASSWORD\n  value: {}",
    '{{"name":"API_TOKEN","value":"{}"}}',
    "//registry.npmjs.org/:_authToken={}",
    "spring.datasource.password={}",
    "PASSWORD={} user=bob",
    "password[{}]",
    "Using password: {}",
    "set_password('{}')",
    "ENV API_SECRET {}",
    "vault login {}",
    "ldapadd -x -D cn=admin -w {} -f x.ldif",
    "Authorization: Bearer {}",
    "Authorization: token {}",
    "REDIS_URL=rediss://default:{}@cache:6380",
    "smtp_pass: '{}'",
    "wifi_psk={}",
    "aws configure set aws_secret_access_key {}",
    "git clone https://bob:{}@git.example/x.git",
    "git remote add o https://oauth2:{}@gitlab.example/x.git",
    "sqlcmd -S db -U sa -P {}",
    "mongosh -u root -p {} admin",
    "htpasswd -b /etc/x bob {}",
    "ANSIBLE_BECOME_PASS={}",
    "ansible_ssh_pass={}",
    '<add key="SmtpPassword" value="{}"/>',
    "&password={}&",
    "password%3D{}",
    "tokenSecret: {}",
    "JWT_SIGNING_KEY={}",
    "signing_secret: {}",
    "encryptionKey={}",
    "DATABASE_URL=postgres://app:{}@db/x",
    "A temporary password is generated for root@localhost: {}",
    "Please use the following password to login: {}",
    "echo {} | kinit bob",
    "net user bob {} /add",
    "unrar x -p{} a.rar",
    "wrangler secret put X <<< {}",
    '$password = ConvertTo-SecureString "{}" -AsPlainText -Force',
    "CREATE LOGIN bob WITH PASSWORD = N'{}';",
    "AUTH default {}",
    '1700000000.123 [0 127.0.0.1:1] "AUTH" "{}"',
    "login attempt [bob/{}] failed",
    "  DB_PASSWORD:                  {}",
    "| password | {} |",
    "AUTH PLAIN {}",
    "DSN=bob:{}@tcp(db:3306)/x",
    "snmpwalk -v3 -u bob -A {}",
    "Incorrect API key provided: {}. You can find your API key at",
    "REDISCLI_AUTH={} redis-cli",
    "mc alias set m http://minio:9000 bob {}",
    "rclone obscure {}",
    "poetry config http-basic.x bob {}",
    "twine upload -u __token__ -p {}",
    "cargo login {}",
    "bundle config gems.example bob:{}",
    "snowsql -a x -u bob -p {}",
    "::add-mask::{}",
    "erl -name x -setcookie {}",
    "lftp -u bob,{} ftp.example",
    'curl -b "session={}" https://x',
    "doctl auth init -t {}",
    "argocd account update-password --current-password {} --new-password x",
    "openssl passwd -6 {}",
    'wpa_cli set_network 0 psk "{}"',
    "define('AUTH_KEY', '{}');",
)
"""How it is written; the value is for ``{}``."""


def tokens(seed: int = 1) -> list[tuple[str, str]]:
    """Names and made-up tokens."""
    rng = random.Random(seed)  # noqa: S311 - made up, and the same every time
    return [(name, draw(rng)) for name, draw in TOKENS.items()]


def phrases(seed: int = 1) -> list[tuple[str, str]]:
    """Lines with a made-up password in them, and the password."""
    rng = random.Random(seed)  # noqa: S311 - made up, and the same every time
    made = []
    for phrase in PHRASES:
        value = PASSWORD(rng)
        if "Basic {" in phrase:
            value = base64.b64encode(f"bob:{value}".encode()).decode()
        made.append((phrase.format(value), value))
    return made


def quoted(text: str) -> str:
    """As in a URL."""
    return quote(text, safe="")
