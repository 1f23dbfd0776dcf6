"""The exactly-once campaign of tests/ingest, short: a minute of faults. FIRN_CAMPAIGN_SEED plays a seed again."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "ingest"))
from campaign import Campaign, say  # noqa: E402

SEED = int(os.environ["FIRN_CAMPAIGN_SEED"]) if os.environ.get("FIRN_CAMPAIGN_SEED") else None


def test_every_record_once_after_a_minute_of_faults(tmp_path):
    with Campaign(tmp_path, records=300_000, seconds=60, partitions=8, backend="sqlite", seed=SEED, disk_mb=300, commit_every="1s") as campaign:
        campaign.run()
        campaign.report()
        n = campaign.check_every_record_once()
        say(f"{n:,} rows, each once; {len(campaign.orphans())} data files in no table")
        assert n == campaign.produced == campaign.records
