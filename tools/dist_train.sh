#!/usr/bin/env bash
# Train on several GPUs, or in several processes on a machine without GPUs.
#
#   tools/dist_train.sh CONFIG GPUS [options of tools/train.py]
#
# On several machines, start it on each of them with the same CONFIG, GPUS (per machine), NNODES,
# MASTER_ADDR (address of the first machine) and PORT, and with NODE_RANK counting from 0.
set -euo pipefail

if [ $# -lt 2 ]; then
    echo "usage: $0 CONFIG GPUS [options of train.py]" >&2
    exit 2
fi
config=$1 gpus=$2
shift 2

exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$gpus" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    "$(dirname "$0")/train.py" "$config" --launcher pytorch "$@"
