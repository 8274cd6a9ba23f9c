"""Private: which folders are no repository, and which files are nobody's business, wherever they stand.

A session that was started in a home folder must not have the passwords in it indexed and shown. So a home folder, what holds it, and the
folders of the system are refused; files that by their names hold credentials are never opened; and of other hidden files only those are
read that version control knows. Names are what the programs document that write such files; what is in a file is not looked at here
(`clew.text.secrets` does that).
"""

from __future__ import annotations

import os
import pwd
from contextlib import suppress
from pathlib import Path


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Refused themselves; what people keep below them is theirs.
_SYSTEM = _words(
    "/ /Applications /Library /System /Users /Volumes /bin /home /lib /lib64 /media /mnt /nix /opt /private /private/tmp "
    "/private/var /sbin /snap /srv /tmp /usr /usr/bin /usr/lib /usr/local /usr/local/bin /usr/local/lib /usr/sbin /usr/share "
    "/usr/src /var /var/lib /var/log /var/tmp"
)
# Refused with all that is below them.
_SYSTEM_TREES = ("/boot", "/dev", "/etc", "/private/etc", "/proc", "/run", "/sys", "/var/run")
# Folders that hold keys and tokens, by the programs that own them; refused with all that is below them, and never read inside a repository.
_SECRET_FOLDERS = _words(".aws .azure .docker .gcloud .gnupg .kube .mozilla .password-store .ssh .thunderbird")

_SECRET_NAMES = _words(
    ".boto .dockercfg .env .envrc .git-credentials .htpasswd .my.cnf .mylogin.cnf .netrc .npmrc .pgpass .pypirc .s3cfg "
    ".terraformrc .vault-token .yarnrc.yml _netrc credentials.tfrc.json id_dsa id_ecdsa id_ecdsa_sk id_ed25519 id_ed25519_sk "
    "id_rsa master.key terraform.tfstate terraform.tfstate.backup"
)
_SECRET_PATHS = (
    ".docker/config.json", ".cargo/credentials", ".cargo/credentials.toml", ".gem/credentials", "gh/hosts.yml", "gcloud/credentials.db",
)  # fmt: skip
_SECRET_ENDINGS = (".jks", ".kdb", ".kdbx", ".key", ".keystore", ".p12", ".pem", ".pfx", ".pkcs12", ".ppk")
_EXAMPLES = (".default", ".defaults", ".dist", ".example", ".sample", ".template")  # of a settings file, for people to fill in


def refusal(root: Path) -> str:
    """Return why a folder is no repository to index, as the rest of a sentence about it; "" where it may be one.

    root  resolved. A home folder is refused also where it is a git work tree.
    """
    text = str(root)
    homes = _homes()
    if root in homes:
        return "is a home folder, whose files are private: it is not indexed"
    if text in _SYSTEM or any(home.is_relative_to(root) for home in homes):
        return "is a folder of the system, and no repository: it is not indexed"
    if any(root.is_relative_to(tree) for tree in _SYSTEM_TREES):
        return "belongs to the system, and is no repository: it is not indexed"
    for home in homes:
        top = root.relative_to(home).parts[0] if root.is_relative_to(home) else ""
        if top in _SECRET_FOLDERS or (top.startswith(".") and not (root / ".git").exists()):
            return "holds what programs keep in a home folder: it is not indexed"
    return ""


def is_secret(path: str) -> bool:
    """Whether a file holds credentials by its name. Such a file is never opened.

    path  relative to the repository, with "/".
    """
    *folders, name = path.lower().split("/")
    if any(folder in _SECRET_FOLDERS for folder in folders):
        return True
    if name.endswith(_EXAMPLES):
        return False
    if name in _SECRET_NAMES or name.startswith(".env."):
        return True
    return name.endswith(_SECRET_ENDINGS) or f"/{path.lower()}".endswith(tuple(f"/{each}" for each in _SECRET_PATHS))


def is_hidden(path: str) -> bool:
    """Whether a path, or a folder in it, is hidden by its name."""
    return path.startswith(".") or "/." in path


def _homes() -> set[Path]:
    """The home folders of this user: as the environment says, and as the system does."""
    found = {Path(os.environ.get("HOME") or "/nonexistent")}
    with suppress(KeyError):  # a user that the system does not know
        found.add(Path(pwd.getpwuid(os.getuid()).pw_dir))
    return {home.resolve() for home in found if home.is_absolute() and str(home) != "/"}
