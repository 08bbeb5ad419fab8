"""Write the golden CIDs as a real daemon computes them.

Run ``python -m tests.integration.storage.write_cid_vectors`` from the repository root.
"""

from __future__ import annotations

import io
import json

import ipfshttpclient

from tests.support.ipfs_daemon import ipfs_daemon
from tests.unit.storage.cid_vectors import GENERATOR, PATH, SIZES, content


def main() -> None:
    """Ask the daemon for the CID of every vector's content; none of our own code computes one here."""
    with ipfs_daemon() as daemon, ipfshttpclient.Client(daemon.multiaddr, timeout=60) as client:
        version = client.version()["Version"]
        vectors = []
        for size in SIZES:
            reply = client.add(
                io.BytesIO(content(size)),
                cid_version=1,
                raw_leaves=True,
                chunker="size-1048576",
                opts={"cid-base": "base32"},
            )
            vectors.append({"size_bytes": size, "cid": reply["Hash"]})
    document = {
        "about": f"CIDs computed by the js-ipfs {version} daemon; content is {GENERATOR}",
        "written_by": "tests/integration/storage/write_cid_vectors.py",
        "profile": "unixfs-v1-2025: CIDv1, sha2-256, 1 MiB chunks, raw leaves, balanced, 1024 links",
        "vectors": vectors,
    }
    PATH.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
