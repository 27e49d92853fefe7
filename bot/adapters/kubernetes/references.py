"""An object's owners, and the claims, Secrets and ConfigMaps that a pod uses. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bot.adapters.kubernetes import shapes
from bot.domain.core.workload import OwnerRef, Uses


def owners(meta: shapes.ObjectMeta) -> tuple[OwnerRef, ...]:
    """Return the object's owners."""
    found = meta.owner_references or ()
    return tuple(OwnerRef(o.kind or "", o.name or "", o.uid or "", o.api_version or "") for o in found)


def uses(pod: str, spec: shapes.PodSpec) -> Uses:
    """Return a pod's claims, Secrets and ConfigMaps. ``pod`` is its name, the prefix of its ephemeral claims."""
    volumes = spec.volumes or ()
    containers = [*(spec.containers or ()), *(spec.init_containers or ())]
    sources = [*volumes, *(s for v in volumes if v.projected for s in v.projected.sources or ())]
    bulk = [source for c in containers for source in c.env_from or ()]
    single = [variable.value_from for c in containers for variable in c.env or () if variable.value_from]
    secrets = [s.secret for s in sources] + [e.secret_ref for e in bulk] + [v.secret_key_ref for v in single]
    return Uses(
        claims=frozenset(_claims(pod, volumes)),
        secrets=_names(secrets),
        config_maps=_names(
            [s.config_map for s in sources]
            + [e.config_map_ref for e in bulk]
            + [v.config_map_key_ref for v in single]
        ),
        required_secrets=_names(one for one in secrets if one is not None and not one.optional),
    )


def _claims(pod: str, volumes: Iterable[shapes.Volume]) -> Iterator[str]:
    for volume in volumes:
        if volume.persistent_volume_claim is not None and volume.persistent_volume_claim.claim_name:
            yield volume.persistent_volume_claim.claim_name
        elif volume.ephemeral is not None and pod:
            yield f"{pod}-{volume.name}"


def _names(found: Iterable[shapes.NamedReference | None]) -> frozenset[str]:
    return frozenset(name for one in found if one is not None and (name := one.name or one.secret_name))
