"""Credentials and harmless text that looks like them, made from the formats that issuers and tools document.

Everything is drawn from a seeded generator, so no line of this file is a credential. A form is written with its
credential between « and »; `{M36}` stands for 36 drawn letters and digits. The forms fall into two halves, by their
place in the list: rules were made looking at the even ones, the odd ones were only counted.
"""

from __future__ import annotations

import base64
import json
import random
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass

SEED = 12
ALPHABETS = {
    "U": string.ascii_uppercase + string.digits,
    "B": string.ascii_uppercase + "234567",
    "L": string.ascii_uppercase,
    "a": string.ascii_lowercase + string.digits,
    "h": "0123456789abcdef",
    "H": "0123456789ABCDEF",
    "d": string.digits,
    "M": string.ascii_letters + string.digits,
    "m": string.ascii_letters + string.digits + "_-",
    "b": string.ascii_letters + string.digits + "+/",
}
_DRAWN = re.compile(r"\{(\w)(\d+)\}")

# Formats as their issuers document them; where each stands is drawn from PLACES.
VENDORS = (
    "AKIA{B16}",  # AWS access key id
    "ASIA{B16}",  # AWS temporary access key id
    "ghp_{M36}",  # GitHub personal access token
    "gho_{M36}",
    "ghs_{M36}",  # GitHub server-to-server
    "github_pat_{M22}_{M59}",
    "glpat-{m20}",  # GitLab personal access token
    "glptt-{h40}",  # GitLab trigger token
    "glrt-{m20}",  # GitLab runner authentication token
    "gldt-{m20}",  # GitLab deploy token
    "xoxb-{d11}-{d12}-{M24}",  # Slack bot
    "xoxp-{d11}-{d11}-{d12}-{h32}",  # Slack user
    "xapp-1-A{U10}-{d13}-{h64}",  # Slack app
    "https://hooks.slack.com/services/T{U10}/B{U10}/{M24}",
    "sk_live_{M24}",  # Stripe
    "rk_live_{M24}",
    "whsec_{M32}",  # Stripe webhook
    "sk-ant-api03-{m93}AA",  # Anthropic
    "sk-proj-{m48}T3BlbkFJ{m48}",  # OpenAI project
    "sk-{M20}T3BlbkFJ{M20}",  # OpenAI, older
    "sk-or-v1-{h64}",  # OpenRouter
    "AIza{m35}",  # Google API key
    "ya29.{m60}",  # Google OAuth access token
    "GOCSPX-{m28}",  # Google OAuth client secret
    "npm_{M36}",
    "pypi-AgEIcHlwaS5vcmc{m150}",
    "hf_{M34}",  # Hugging Face
    "dop_v1_{h64}",  # DigitalOcean
    "doo_v1_{h64}",
    "SG.{m22}.{m43}",  # SendGrid
    "key-{h32}",  # Mailgun
    "shpat_{h32}",  # Shopify
    "shpss_{h32}",
    "dckr_pat_{m27}",  # Docker Hub
    "hvs.{m95}",  # HashiCorp Vault
    "{M14}.atlasv1.{m65}",  # HashiCorp Terraform
    "lin_api_{M40}",  # Linear
    "ntn_{d11}{M35}",  # Notion
    "secret_{M43}",  # Notion, older
    "figd_{m40}",  # Figma
    "dp.pt.{M43}",  # Doppler
    "PMAK-{h24}-{h34}",  # Postman
    "NRAK-{U27}",  # New Relic
    "glsa_{M32}_{h8}",  # Grafana service account
    "sntrys_eyJpYXQiO{b100}LCJyZWdpb25fdXJs{b30}_{b43}",  # Sentry organisation
    "dapi{h32}",  # Databricks
    "EAACEdEose0cBA{M40}",  # Facebook
    "rubygems_{h48}",
    "tfp_{m44}_{m14}",  # Typeform
    "gsk_{M52}",  # Groq
    "xai-{M80}",
    "r8_{M37}",  # Replicate
    "pplx-{M48}",  # Perplexity
    "sbp_{h40}",  # Supabase
    "CCIPAT_{M22}_{h40}",  # CircleCI
    "tskey-api-{M16}-{M32}",  # Tailscale
    "vcp_{M56}",  # Vercel
    "pscale_tkn_{m43}",  # PlanetScale
    "AGE-SECRET-KEY-1{L58}",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIx{m40}.{m43}",  # JSON web token
    "{d10}:AA{m33}",  # Telegram bot
    "https://discord.com/api/webhooks/{d18}/{m68}",
    "sq0csp-{m43}",  # Square
    "AKCp{M69}",  # Artifactory
    "fo1_{m43}",  # Fly.io
    "ATATT3xFfGF0{m180}={H8}",  # Atlassian
    "{M3}8Q~{m34}",  # Azure client secret
    "EZAK{M54}",  # EasyPost
    "duffel_live_{m43}",
    "LTAI{M20}",  # Alibaba
)
PLACES = (
    "{}",
    'client = Client("{}")',
    "export CI_VALUE={}",
    "2026-03-14 09:26:53 INFO sent {} to the server",
    '{{"value": "{}", "id": 3}}',
    "-   header: '{}'",
    "config.set('{}') // remove before release",
    "| row | {} | yes |",
    "\x1b[32m{}\x1b[0m",
    "see {}, which was revoked.",
)
# What tools, protocols and files say around a credential that has no form of its own.
CONTEXTS = (
    "Authorization: Basic «{basic}»",
    "curl -H 'Authorization: Bearer «{m40}»' https://api.example.com",
    "curl -u admin:«{pw}» https://example.com/x",
    "curl --user deploy:«{pw}» -X POST https://example.com/x",
    "redis://:«{pw}»@cache.internal:6379/0",
    "postgres://app:«{pw}»@db.internal:5432/app",
    "mongodb+srv://svc:«{pw}»@cluster0.abcde.mongodb.net/?retryWrites=true",
    "https://x-access-token:«{M40}»@github.com/acme/tool.git",
    "https://«{M40}»@github.com/acme/tool.git",
    "amqp://guest2:«{pw}»@mq.internal//",
    "PGPASSWORD=«{pw}» psql -h db -U app",
    "MYSQL_PWD=«{pw}» mysqldump shop",
    "REDISCLI_AUTH=«{pw}» redis-cli ping",
    "mysql -uroot -p«{pw}» shop",
    "sshpass -p '«{pw}»' ssh root@10.0.0.4",
    "docker login -u acme -p «{pw}» registry.example.com",
    "tool --password «{pw}» --verbose",
    "tool --password=«{pw}» run",
    "tool --api-key «{M32}» list",
    "tool --token=«{h40}» list",
    "tool --client-secret «{m34}»",
    "redis-cli -h cache -a «{pw}» ping",
    "ldapsearch -x -D cn=admin,dc=acme -w «{pw}» -b dc=acme",
    "openssl rsa -in key.pem -passin pass:«{pw}» -out k",
    "keytool -genkey -alias a -storepass «{pw}»",
    "unzip -P «{pw}» backup.zip",
    "machine api.example.com login deploy password «{pw}»",
    "machine api.example.com\n  login deploy\n  password «{pw}»\n",
    "db.internal:5432:shop:app:«{pw}»",
    "//registry.npmjs.org/:_authToken=«{h32}»",
    "_auth=«{basic}»",
    "//npm.acme.dev/:_password=«{b24}»",
    "DB_PASSWORD=«{pw}»",
    'DATABASE_PASSWORD="«{pw}»"',
    "export API_TOKEN=«{M32}»",
    "AWS_SECRET_ACCESS_KEY=«{b40}»",
    "aws_secret_access_key = «{b40}»",
    "aws configure set aws_secret_access_key «{b40}»",
    "aws_session_token=«{b200}»",
    "SECRET_KEY = '«{M50}»'",
    "secret_key_base: «{h128}»",
    "password: «{pw}»",
    '"password": "«{pw}»",',
    '{"user": "app", "passwd": "«{pw}»"}',
    "spring.datasource.password=«{pw}»",
    "define('DB_PASSWORD', '«{pw}»');",
    "'password' => '«{pw}»',",
    'conn = connect(host="db", user="app", password="«{pw}»")',
    'const apiKey = "«{M32}»";',
    'private static final String PASSWORD = "«{pw}»";',
    'os.environ["SERVICE_API_KEY"] = "«{M32}»"',
    'Password: "«{pw}»",',
    "<password>«{pw}»</password>",
    '<add key="SmtpPassword" value="«{pw}»" />',
    "Server=db;Database=shop;User Id=app;Password=«{pw}»;Encrypt=true",
    "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=«{b86}==»;EndpointSuffix=core.windows.net",
    "Endpoint=sb://acme.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey=«{b43}=»",
    "jdbc:mysql://db/shop?user=app&password=«{pw}»&useSSL=true",
    "GET /v1/items?api_key=«{M32}»&limit=5 HTTP/1.1",
    "https://api.example.com/x?access_token=«{m40}»",
    "https://b.s3.amazonaws.com/k?X-Amz-Credential=a&X-Amz-Signature=«{h64}»",
    "https://acme.blob.core.windows.net/c/f?sv=2022&sp=r&sig=«{b43}%3D»",
    "X-API-Key: «{M32}»",
    "PRIVATE-TOKEN: «{m24}»",
    "X-Auth-Token: «{h32}»",
    "Proxy-Authorization: Basic «{basic}»",
    "Cookie: sessionid=«{a32}»; theme=dark",
    "Set-Cookie: auth_token=«{m40}»; HttpOnly",
    "Authorization: Token «{h40}»",
    "ENV SERVICE_TOKEN «{M32}»",
    "      - name: DB_PASSWORD\n        value: «{pw}»\n",
    '"auths": {"https://index.docker.io/v1/": {"auth": "«{basic}»"}}',
    "CREATE USER app IDENTIFIED BY '«{pw}»';",
    "ALTER ROLE app WITH PASSWORD '«{pw}»';",
    "PrivateKey = «{b43}=»",
    'psk="«{pw}»"',
    '$env:API_TOKEN = "«{M32}»"',
    '{"address": "127.0.0.1:4100", "token": "«{h64}»"}',
    "Authorization: Bearer «{h64}»",
    "the password is «{pw}», do not share it",
    "-----BEGIN RSA PRIVATE KEY-----\n«{b64}\n{b64}\n{b40}»\n-----END RSA PRIVATE KEY-----\n",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n«{b70}\n{b70}\n{b32}»\n",
    "-----BEGIN PRIVATE KEY-----\n«{b64}\n{b64}\n{b64}»",
    '"private_key": "-----BEGIN PRIVATE KEY-----\\n«{b64}\\n{b64}»\\n-----END PRIVATE KEY-----\\n"',
    "root:«$6${M8}${b86}»:19000:0:99999:7:::",
    "admin:«$2y$10${M53}»",
    "client-key-data: «{b200}»",
    "kubectl create secret generic db --from-literal=password=«{pw}»",
    "az login --service-principal -u 1 -p «{m34}» --tenant t",
    "vault login «{M32}»",
)
HARMLESS = (
    "id = '{h8}-{h4}-{h4}-{h4}-{h12}'",
    "commit {h40}",
    "index {h7}..{h7} 100644",
    "Merge {h40} into {h40}",
    '"resolved": "https://registry.npmjs.org/a/-/a-1.0.0.tgz", "integrity": "sha512-{b86}=="',
    'checksum = "{h64}"',
    "sha256:{h64}",
    "    --hash=sha256:{h64}",
    "FROM node:20@sha256:{h64}",
    "github.com/acme/tool v1.2.3 h1:{b43}=",
    'src="data:image/png;base64,iVBORw0KGgo{b120}="',
    'ETag: "{h32}"',
    "trace_id={h32} span_id={h16}",
    '"sessionId": "{h8}-{h4}-{h4}-{h4}-{h12}"',
    '"requestId": "req_{M24}"',
    '"tool_use_id": "toolu_{M24}"',
    "password: str",
    "password: string;",
    "def login(user: str, password: str = '') -> None:",
    "token = get_token()",
    "token = self._token",
    "token = tokens[0]",
    "password = getpass.getpass('Password: ')",
    'api_key = os.environ["API_KEY_2"]',
    "apiKey: process.env.OPENAI_API_KEY,",
    'secret_name = "prod/app/database"',
    "secretName: tls-cert-2024",
    "secret = hashlib.sha256(data).hexdigest()",
    "API_KEY=YOUR_API_KEY",
    'api_key = "your-api-key-here"',
    'password = "<your password>"',
    "PASSWORD=changeme",
    "TOKEN=${TOKEN}",
    'token: "${{ secrets.GITHUB_TOKEN }}"',
    "password: {{ .Values.password }}",
    "Authorization: Bearer $TOKEN",
    "Authorization: Bearer <token>",
    "curl -u $USER:$PASS https://example.com",
    "postgres://${DB_USER}:${DB_PASS}@db/app",
    "postgres://user:password@localhost/db",
    "https://example.com:8443/path",
    "git@github.com:acme/tool.git",
    "color: #{h6};",
    "background: #{h8};",
    "max_tokens: 4096",
    "tokens_per_second=1250.5",
    "prompt_tokens=12345, completion_tokens=678",
    "token_count = 128000",
    "token_type=bearer",
    "tokenizer = AutoTokenizer.from_pretrained('bert-base-uncased')",
    "tokenizer: o200k_base",
    "secretKeyRef: {name: db, key: password}",
    "if password == other.password1:",
    "assert password != 'x'",
    "keys = sorted(map.keys())",
    'primary_key = "user_id"',
    'key = "settings.theme.color2"',
    "cache_key=f'user:{id}:v2'",
    "sort_key: created_at_2",
    'public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{b43}"',
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ{b120} me@host",
    "-----BEGIN CERTIFICATE-----\n{b64}\n{b64}\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\n{b64}\n-----END PUBLIC KEY-----",
    "function a(b,c){return b.token1===c.token2?d[e]:f}var x={key:1,auth:2};",
    'import { tokenProvider } from "./token-provider2";',
    "from app.secrets import SECRET_BACKEND_V2",
    "class PasswordValidatorV2(BaseValidator):",
    "raise InvalidTokenError('token expired 3600s ago')",
    "self.assertEqual(password, expected_password_2)",
    "secrets: inherit",
    "password_hash: Mapped[str] = mapped_column(String(128))",
    "pwd = os.getcwd()",
    "PWD=/home/user/project2",
    "cd $OLDPWD && pwd",
    "credentials: 'include'",
    "credentials = Credentials.from_file(path2)",
    "access_key_id: the id of the key",
    "token: Uint8Array",
    "secret: [u8; 32],",
    "key: &'a [u8],",
    "the secret of v2.0 is simplicity",
    "pass: 12, fail: 0",
    "PASS tests/a.test.ts (5.123s)",
    "bypass: true",
    "compass-heading=270",
    "passed=128 failed=0",
    "auth: true",
    "author: Jane Doe 1984",
    "authority=acme.example.com:443",
    "basic usage2: see below",
    "the bearer of bad news2024",
    "mkdir -p build/out2/x",
    "ssh -p 2222 host",
    "docker run -p 8080:80 -u 1000:1000 nginx",
    "grep -w token2 file.txt",
    "ls -a dir2",
    "node:1234:5432:db:ready",
    "ghp_example",
    "sk-learn-contrib and sk-image-v2",
    "the task-list and the risk-taker; disk-usage-of-everything-there-is-on-it",
    "xoxo, Gossip Girl 2007",
    "eyJ is how encoded JSON begins",
    "npm_config_registry=https://registry.npmjs.org/",
    "hf_hub_download(repo_id='bert-base-uncased')",
    "AKIA is the prefix of access keys",
    "key-value-store-2-of-the-old-cluster",
    "Signature: (self, x: int) -> str",
    "signature=inspect.signature(fn2)",
    'nonce="{h16}"',
    "csrf_token = generate_csrf2()",
    '<input type="password" name="password2" id="pw2">',
    'label for="password">Password (8 to 64 characters)</label>',
    "password must have 8 characters and 1 digit",
    "forgot_password_url=/accounts/reset2/",
    "TOKEN_TTL_SECONDS=86400",
    "secret_version: projects/1/secrets/db/versions/3",
    "uses: actions/checkout@{h40}",
    "pad_token='[PAD]', eos_token='</s>'",
    "bos_token_id=151643",
)


@dataclass(frozen=True, slots=True)
class Form:
    """A text with the credential in it; "" for a harmless text. `is_held` says that rules were made without looking at it."""

    text: str
    secret: str
    source: str
    is_held: bool


def credentials(seed: int = SEED) -> list[Form]:
    """The 160 forms, drawn from a seed."""
    draw = random.Random(seed)
    forms: list[Form] = []
    for at, pattern in enumerate(VENDORS):
        secret = _filled(pattern, draw)
        forms.append(Form(PLACES[draw.randrange(len(PLACES))].format(secret), secret, pattern, at % 2 == 1))
    for at, pattern in enumerate(CONTEXTS):
        before, _, rest = _filled(pattern, draw).partition("«")
        secret, _, after = rest.partition("»")
        forms.append(Form(before + secret + after, secret, pattern, at % 2 == 1))
    return forms


def harmless(seed: int = SEED) -> list[Form]:
    """The look-alikes, drawn from a seed."""
    draw = random.Random(seed)
    return [Form(_filled(pattern, draw), "", pattern, at % 2 == 1) for at, pattern in enumerate(HARMLESS)]


def inside_json(text: str) -> str:
    """The text as a transcript holds it: one field of one line."""
    return json.dumps({"type": "user", "text": f"before\n{text}\nafter"})


def left_over(form: Form, masked: str) -> bool:
    """Say whether a part of the credential still stands in the masked text: any eighth of it, or six characters."""
    masked = re.sub(r"\[masked:[^\]]*\]", "[]", masked)
    width = max(6, len(form.secret) // 8)
    pieces: Iterator[str] = (form.secret[at : at + width] for at in range(max(1, len(form.secret) - width + 1)))
    return any(piece in masked for piece in pieces if "\n" not in piece and "\\" not in piece)


def _filled(pattern: str, draw: random.Random) -> str:
    pattern = pattern.replace("{basic}", base64.b64encode(f"svc:{_password(draw)}".encode()).decode())
    while "{pw}" in pattern:
        pattern = pattern.replace("{pw}", _password(draw), 1)
    return _DRAWN.sub(lambda found: "".join(draw.choices(ALPHABETS[found[1]], k=int(found[2]))), pattern)


def _password(draw: random.Random) -> str:
    """A password as people and generators make them: eight to twenty characters, with a digit."""
    words = ("hunter", "Summer", "tr0ub4dor", "correct", "Dragon", "monkey", "Spring", "letme")
    if draw.random() < 0.5:
        return (
            f"{draw.choice(words)}{draw.choice(('', '-', '_', '!', '.', '#'))}{draw.randrange(10, 9999)}{draw.choice(('', '!', 'x', '*'))}"
        )
    drawn = "".join(draw.choices(string.ascii_letters + string.digits + "!%^*_-+.", k=draw.randrange(9, 20)))
    return f"{draw.choice(string.ascii_letters)}{drawn}{draw.randrange(10)}"
