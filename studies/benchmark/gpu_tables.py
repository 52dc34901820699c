"""Tables of the GPU benchmark: which networks, which tables, and the goals."""

from .gpu_cases import Network
from .report import Table

WIDE = Network('HRNet-W32 512², flip test', 'pinet_hrnet_coco.py', 512, True)
LIGHT = Network('light 256²', 'pinet_lite_photos.py', 256, False)
AS_SHIPPED = Network(
    'light 256², flip test, two scales', 'pinet_lite_photos.py', 256, True, (1.0, 0.5)
)
SLIM = Network('slim HRNet 128², flip test', 'pinet_hrnet-slim_crowdsynth.py', 128, True)
IMAGES, SHARE = 'Images per second', 'Share of everything but backbone and neck'
TRAINING, HOST, KERNELS = 'Training', 'The part of the host', 'Kernels of the decoding'
KEEPING = 'Which poses are kept'
# What stands under each title, in the order of the tables.
NOTES = {
    IMAGES: 'From normalized images on the device to fused poses there; random weights and '
    'random images: every image refines 30 proposals per part, whatever is in it. '
    'Medians of back-to-back calls, timed by events of the device. fp32 alone is '
    'without TF32; fp16 and bf16 are backbone, neck and the products of the '
    'refinement.',
    SHARE: 'Of a prediction as above: the time beyond that of backbone and neck alone.',
    TRAINING: 'Forward, backward and optimizer, images and targets on the device already, '
    'Adam; half precision by autocast. Peak memory as torch allocated it.',
    KERNELS: 'Of everything but backbone and neck, by the profiler: the longest, and all.',
    HOST: 'What Python does per image around the tensors, and whole predictions from uint8 '
    'arrays in memory to people.',
    KEEPING: 'Of 90 random proposals per image, by greedy matching: in rounds of two kernels, '
    'as the package does; nine poses at a time; by one Triton kernel, where Triton is '
    'installed.',
}


def to_tables(found: dict[str, list[dict]], left: list[dict]) -> list[Table]:
    """Put rows into tables, the goals first; tables without rows are left out.

    Args:
        found: title of a table, as in `NOTES` -> its rows.
        left: the steps that were left out, and why.
    """
    tables = [
        Table(
            'gpu',
            'Goals',
            'The goals, and the best that was measured.',
            goals(found[IMAGES], found[SHARE]),
        )
    ]
    tables += [Table('gpu', title, NOTES[title], rows) for title, rows in found.items()]
    tables.append(
        Table('gpu', 'Left out', 'Steps that were not measured, or not to their end.', left)
    )
    return [table for table in tables if table.rows]


def goals(images: list[dict], shares: list[dict]) -> list[dict]:
    """Compare the best of what was measured with what was aimed at.

    Args:
        images: rows of `IMAGES`.
        shares: rows of `SHARE`.
    """

    def best(network: Network, **wanted) -> float | None:
        speeds = [
            row['images/s']
            for row in images
            if row['network'] == network.name
            and all(row[key] == value for key, value in wanted.items())
        ]
        return max(speeds, default=None)

    half, single = best(WIDE, precision='bf16', batch=16), best(WIDE, precision='fp32', batch=1)
    ratio = half / single if half and single else None
    rest = [row['share of the rest'] for row in shares if row['network'] == WIDE.name]
    return [
        dict(goal=goal, wanted=wanted, found=found)
        for goal, wanted, found in (
            (f'{WIDE.name}: bf16, batch 16, over fp32, batch 1', '≥ 5', ratio),
            (f'{WIDE.name}: images/s', '≥ 400', best(WIDE)),
            (f'{LIGHT.name}: images/s', '≥ 3000', best(LIGHT)),
            (f'{WIDE.name}: least share of the rest, batch 8', '≤ 0.05', min(rest, default=None)),
        )
    ]
