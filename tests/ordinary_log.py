"""An ordinary log, with nothing secret in it: what pods, shells, servers and package managers write."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.secrets_corpus import BASE62, HEX, UPPER, URLSAFE, run, uid

DIGITS = "0123456789"
SAFE = "bcdfghjklmnpqrstvwxz2456789"
"""What Kubernetes makes names of."""
WORDS = [
    "the",
    "a",
    "request",
    "agent",
    "session",
    "build",
    "cache",
    "worker",
    "started",
    "finished",
    "retry",
    "queue",
    "model",
    "file",
    "user",
    "job",
    "node",
    "of",
]

FIELDS: dict[str, Callable[[random.Random], str]] = {
    "uuid": uid,
    "sha": run(40, HEX),
    "short": run(8, HEX),
    "sha256": run(64, HEX),
    "trace": run(32, HEX),
    "span": run(16, HEX),
    "md5": run(32, HEX),
    "b64": run(43, BASE62 + "+/"),
    "b64u": run(22, URLSAFE),
    "ksuid": run(27),
    "ulid": run(26, UPPER),
    "id24": run(24),
    "pod": lambda rng: f"secure-agent-pod-{run(9, SAFE)(rng)}-{run(5, SAFE)(rng)}",
    "n": lambda rng: str(rng.randrange(1, 5000)),
    "big": lambda rng: str(rng.randrange(10**6, 10**12)),
    "ms": lambda rng: f"{rng.random() * 900:.2f}",
    "ip": lambda rng: ".".join(str(rng.randrange(1, 255)) for _ in range(4)),
    "port": lambda rng: str(rng.randrange(1024, 65535)),
    "time": lambda rng: (
        f"2026-11-{rng.randrange(1, 30):02}T{rng.randrange(24):02}:{rng.randrange(60):02}:07.{rng.randrange(999):03}Z"  # noqa: E501 - one line of the log
    ),
    "clock": lambda rng: f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}",
    "words": lambda rng: " ".join(rng.choices(WORDS, k=rng.randrange(3, 9))),
    "path": lambda rng: "/" + "/".join(rng.choices(["home", "claude", "src", "app", "node_modules", "dist"], k=3)),
}

LINES = (
    '{ip} - - [29/Nov/2026:{clock} +0000] "GET {path}?page={n}&sort=name HTTP/1.1" 200 {n} "-" "Mozilla/5.0"',
    '{ip} - - [29/Nov/2026:{clock} +0000] "POST /api/v1/sessions/{uuid} HTTP/2.0" 201 {n} "https://example.org/" "curl/8.5"',  # noqa: E501 - one line of the log
    "{time} INFO  [main] c.e.a.SessionManager - {words} in {ms} ms",
    "{time} DEBUG trace_id={trace} span_id={span} {words}",
    '{{"time":"{time}","level":"info","msg":"{words}","trace_id":"{trace}","span_id":"{span}","duration_ms":{ms}}}',
    '{{"ts":"{time}","caller":"server/http.go:{n}","msg":"request","request_id":"{uuid}","status":200}}',
    "Pulled image registry.example/kali@sha256:{sha256} in {ms}s",
    "Digest: sha256:{sha256}",
    "HEAD is now at {short} Merge branch 'main' of github.com:acme/agent",
    "commit {sha}",
    "   {short}..{short}  main -> origin/main",
    "Accepted publickey for claude from {ip} port {port} ssh2: ED25519 SHA256:{b64}",
    "256 SHA256:{b64} maya@laptop (ED25519)",
    "debug1: Server host key: ssh-ed25519 SHA256:{b64}",
    "Failed password for invalid user admin from {ip} port {port} ssh2",
    "pam_unix(sshd:session): session opened for user claude(uid=1000) by (uid=0)",
    'I1129 {clock}.{n}  1 event.go:377] Event(v1.ObjectReference{{Kind:"Pod", Namespace:"agents", Name:"{pod}", UID:"{uuid}"}})',  # noqa: E501 - one line of the log
    "Normal  Started  2m  kubelet  Started container kali in pod {pod}",
    'MountVolume.SetUp succeeded for volume "ssh-keys" (UniqueName: "kubernetes.io/secret/{uuid}-ssh-keys") pod {pod}',  # noqa: E501 - one line of the log
    'MountVolume.SetUp failed for volume "ssh-keys" : secret "agent-ssh-keys" not found',
    "secret/agent-ssh-keys mounted at /etc/ssh/keys",
    "secret/agent-secrets-tier2 configured",
    "Secret agent-ssh-keys: unchanged",
    'etag: W/"{md5}"',
    'ETag: "{b64u}"',
    "X-Request-Id: {uuid}",
    "x-amz-request-id: {ulid}  x-amz-id-2: {b64}=",
    "cf-ray: {span}-FRA  cache: HIT",
    "traceparent: 00-{trace}-{span}-01",
    'time="{time}" level=info msg="{words}" id={ksuid}',
    "CRON[{n}]: (claude) CMD (/opt/jobs/session-manager.sh --quiet)",
    "*/15 * * * * /usr/local/bin/push-heartbeat session-manager >> /var/log/cron.log 2>&1",
    "npm warn deprecated inflight@1.0.6: This module is not supported, and leaks memory.",
    "added {n} packages, and audited {n} packages in {ms}s",
    "    integrity sha512-{b64}{b64}==",
    "npm http fetch GET 200 https://registry.example/@scope%2fname {n}ms (cache hit)",
    "pnpm: Progress: resolved {n}, reused {n}, downloaded {n}, added {n}",
    '  File "/usr/lib/python3.11/asyncio/tasks.py", line {n}, in wait_for',
    "    at org.springframework.security.authentication.ProviderManager.authenticate(ProviderManager.java:{n})",
    "    at Object.<anonymous> (/app/node_modules/tokenizer/index.js:{n}:{n})",
    "goroutine {n} [running]: main.(*TokenBucket).Take(0xc000{short}, 0x{n})",
    "token bucket refilled: {n} of {n} left",
    "tokens: {n}",
    "usage: input_tokens={n} output_tokens={n} cache_read_input_tokens={n} max_tokens=4096",
    '{{"usage":{{"prompt_tokens":{n},"completion_tokens":{n},"total_tokens":{n}}},"id":"chatcmpl-{id24}"}}',
    "token count: {n}",
    "max_tokens: 8192, temperature: 0.7, model: claude",
    "unexpected token '}}' at line {n}",
    "SyntaxError: Unexpected token < in JSON at position {n}",
    "password changed for user claude",
    "passwd: password expiry information changed.",
    "password authentication: disabled, publickey: enabled",
    "PasswordAuthentication no",
    "Password: ",
    "Enter passphrase for key '/home/claude/.ssh/id_ed25519':",
    "auth: user claude logged in from {ip}",
    "Authorization: required",
    "authentication method: publickey",
    "auth_time={n}ms cookies=enabled",
    "Set cookie policy: strict",
    "session {uuid} closed after {n}s",
    "session_id={uuid} state=active",
    "key=value pairs read: {n}",
    "cache key: user:{n}:profile hit",
    "key not found: settings.theme",
    "primary key ({n}) of table sessions",
    "sort_key=created_at partition_key={uuid}",
    "Loaded public key /etc/ssh/host_ed25519.pub",
    "keys rotated: {n}",
    "rotating credentials in {n} s",
    "credentials loaded from /home/claude/.aws/credentials",
    "reading token from /var/run/secrets/kubernetes.io/serviceaccount/token",
    "AWS_WEB_IDENTITY_TOKEN_FILE=/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
    "token_url=https://login.example.org/oauth2/token token_type=Bearer expires_in=3600",
    "GET https://login.example.org/.well-known/openid-configuration 200 {ms}ms",
    "https://example.org/search?q=agent+pod&lang=en&offset={n}",
    "fetching https://cdn.example.org/assets/main-{short}.js",
    "dist/assets/index-{b64u}.js   {ms} kB │ gzip: {ms} kB",
    "Successfully built {short}{n}",
    "layer sha256:{sha256}: Pulling fs layer",
    "cri-containerd-{sha256}.scope: Deactivated successfully.",
    "docker-{sha256}.scope: Consumed {ms}s CPU time.",
    "kubepods-burstable-pod{uuid}.slice",
    "volume pvc-{uuid} attached to node gpu-1",
    "uid={n}(claude) gid={n}(claude) groups={n}(claude)",
    "claude     {n}  0.0  0.1 {big} {n} ?  Ss  10:00  0:00 sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups",  # noqa: E501 - one line of the log
    "root         1  0.0  0.0   {n}  {n} ?  Ss   Nov28   0:01 /usr/bin/dumb-init -- /entrypoint.sh -p {port} -u claude",  # noqa: E501 - one line of the log
    "/dev/nvme0n1p1  {big} {big} {big}  42% /home/claude",
    'kernel: audit: type=1400 audit({big}.123:{n}): apparmor="ALLOWED" operation="open"',
    "systemd[1]: Started session-{n}.scope - Session {n} of User claude.",
    "Hit:1 http://deb.debian.org/debian bookworm InRelease",
    "Get:5 http://deb.debian.org/debian bookworm/main amd64 libsecret-1-0 amd64 0.20.5-3 [{n} kB]",
    "Unpacking libpam-modules:amd64 (1.5.2-6) ...",
    "go: downloading github.com/golang-jwt/jwt/v5 v5.2.1",
    "github.com/spf13/cobra v1.8.0 h1:{b64}=",
    "Compiling secrecy v0.8.0",
    "warning: unused variable: `token`",
    "error[E0425]: cannot find value `password` in this scope",
    "src/auth/token.rs:{n}:{n}: note: required by this bound",
    "tests/test_auth.py::test_password_reset PASSED",
    "tests/test_tokens.py::test_refresh[{n}] PASSED [ {n}%]",
    "{pod} kali [{clock}] {words}",
    "deployment.apps/secure-agent-pod restarted",
    "Scaled up replica set secure-agent-pod-{short} from 0 to 1",
    "leader election: lock agentpod-lease held by {pod}_{uuid}",
    "resourceVersion={big} generation={n} observedGeneration={n}",
    "postgres: checkpoint complete: wrote {n} buffers ({ms}%); write={ms} s",
    "LOG:  connection authorized: user=app database=shop SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384)",  # noqa: E501 - one line of the log
    "SELECT id, name, password_hash FROM users WHERE id = $1",
    "redis: {n} changes in 60 seconds. Saving...",
    "kafka: offset={big} partition={n} topic=agent-events cluster={b64u}",
    "req_{id24} completed in {ms}ms",
    "message id msg_{id24} queued",
    "toolu_{id24}: Bash finished with exit code 0",
    "worktree task-{short}-fix-auth created",
    "x509: certificate signed by unknown authority (serial {big})",
    "TLS handshake: SHA1 Fingerprint=AA:BB:CC:{n}",
    "-----BEGIN CERTIFICATE-----",
    "MIIC{b64}{id24}",
    "certificate-authority-data: (omitted)",
    "[{n}/{n}] {words}",
    "WARN  retrying in {ms}s: connect ECONNREFUSED {ip}:{port}",
    "ERROR {words}: exit code {n}",
    "{time} {words}",
    "{time} {words} {words}",
    "{big} {ms} {n} {short}",
    "progress: {n}% ({n}/{n}), eta {clock}",
    "OPENAI_API_KEY is not set",
    "GITHUB_TOKEN: present, ANTHROPIC_API_KEY: present",
    "Using cached token; expires in {n} s",
    "login succeeded for maya from {ip}",
    "signature verified, key id {span}",
    "salt-minion: state.apply finished in {ms} s",
    "no secret with the name agent-configs",
    "vibe-kanban listening on http://0.0.0.0:3000",
    "branch=vk/{short}-fix-token-refresh head={sha}",
    "Merge request !{n}: pass the token to the worker",
    "1 passed, {n} deselected in {ms}s",
    "basic auth is off, bearer auth is on",
    "pip: Collecting itsdangerous==2.2.0 --hash=sha256:{sha256}",
    "Etag mismatch: have {md5}, want {md5}",
    "snowflake {big}{n} shard {n}",
    "i18n key auth.login.password.label missing for de",
    "user-agent: kube-probe/1.31  accept: */*",
    "seed: {n}, nonce: {n}",
    "code: {n}, reason: timeout",
    "pin memory: true, workers: {n}",
)


def lines(count: int, seed: int = 1) -> list[str]:
    """So many lines of it."""
    rng = random.Random(seed)  # noqa: S311 - made up, and the same every time
    return [rng.choice(LINES).format_map(_Drawn(rng)) for _ in range(count)]


class _Drawn(dict[str, str]):
    """Each field drawn when it is asked for."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self._rng = rng

    def __missing__(self, name: str) -> str:
        return FIELDS[name](self._rng)
