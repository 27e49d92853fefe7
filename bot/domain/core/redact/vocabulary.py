"""Word lists by which `names` and `tokens` recognise secrets and what is none. All in lower case."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STATES = _words(
    """
    a absent accepted active after an and apikey array at auth authentication available await basic bearer
    before boolean bucket budget but by bytes can cannot changed could count created default deleted
    denied digest disabled empty enabled end env eof error expected expired failed false file for
    forbidden found from got granted has hash hidden id if in inactive incorrect int invalid is it its
    key left length limit loaded masked may mismatch missing mount must n/a na name negotiate new nil no
    no-cache none not ntlm null number object of off ok omitted on optional or password path pending per
    present private public publickey quota rate ready redacted refreshed rejected remaining removed
    renewed required revoked rotated secret self set should stale start str string tbd text that the then
    there this to todo token total true type unauthorized unavailable undefined unexpected unknown unset unverified
    updated usage used valid value verified was when while will with wrong yes
    """
)
"""Values after such a name that are no secret but describe its state."""

ABOUT = _words(
    """
    age alg algorithm alias arn at attempt attempts bucket budget bytes cache changed class client column
    comment cost count counter counts created date desc description dir disabled domain duration enabled
    endpoint error errors exists expiration expire expires expiry factory failures field fields file
    filename files fingerprint format group handler hint host id ids index input interval issuer kind
    label len length level limit limits line location manager max maxlength method min minlength minutes
    missing mode mount mounts ms name names namespace num number offset output owner parser path paths
    per policy port position present processor prompt provider rate reader ref refs region request
    required reset response review ring rotated rotation s scope scopes sec seconds server service size
    source spaces state status store stream strength thumbprint time timeout title tokenizer total ttl
    type updated uri url urls usage used user users valid validity version window writer
    """
)
"""Last words of a name whose value is about a secret, not one: ``token_count``, ``passwordFile``,
``secretName``."""

COUNTED = _words(
    """
    avg cache cached completion input max min n num output prompt reasoning remaining sum total used
    """
)

PASSWORDS = _words(
    """
    contrase kennwort passcode passphrase passphrases passwd password passwords passwort pwd
    """
)

NO_PASSWORDS = _words(
    """
    bypass compass encompass overpass surpass trespass underpass
    """
)

SECRETS = _words(
    """
    cred credential credentials creds jwt mnemonic phrase psk secret secrets token tokens
    """
)

KEYED = _words(
    """
    accesskey apikey authkey key keys keystring masterkey privatekey secretkey
    """
)

WEAKLY = _words(
    """
    auth authentication authn authorization authz bearer code cookie cookies dsn hmac licence license
    login mfa nonce otp pass pat pin pw salt seed sess session sid sig signature totp webhook
    """
)

OPEN_KEYS = _words(
    """
    annotation blob bucket build cache config context data dedup deduplication entity event foreign group
    hash idempotency index item job label lock log lookup map message metric node object partition
    primary pub public record redis registry route routing row s3 search settings shard sharding sort
    store task trace
    """
)
"""Words before ``key`` for keys that identify or look up something, such as a cache key: no secrets."""

NAMING = _words(
    """
    fingerprint id name thumbprint type uri url version
    """
)

IDS = _words(
    """
    account acct ami artifact asst batch blob block build bundle cache call card cart ch chatcmpl chunk
    cid client cluster cmpl col commit consumer container conv conversation corr correlation cri crio cs csi ctc
    cus dep deploy deployment digest disk doc docker dpl email endpoint eni env etag event evt exec file
    flow gen gid group hash host id idx image img in index instance inv invoice item job key kid layer
    link mail main md5 message msg node nonce obj object offset oid order org page part partition peer pi
    pid po pod prctbl price proc prod proj project ref rel release req request resp rev rid route row rtb
    run seq server service ses sess session seti sg sha sha1 sha256 sha384 sha512 shard snap snapshot
    span src srvtoolu state step sub subnet svc task tbl team thd thread tid tool toolu topic trace tx
    txn txr uid up upload user usr vendor ver version vol vpc wf worker xid
    """
)
"""Prefixes of ids, which are in every log and are no secrets."""
