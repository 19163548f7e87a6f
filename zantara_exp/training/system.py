"""What a training process takes of its machine, in MLflow's group for system metrics (`system/...`)."""

from __future__ import annotations

import os
import time
from pathlib import Path

_STATM = Path("/proc/self/statm")


class System:
    """Reads the machine; the share of the CPU is that since the last reading."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def read(self) -> dict[str, float]:
        """Memory in MB, CPU in percent of one core, the machine's load; on a GPU, the memory held there."""
        import torch

        wall, cpu = time.monotonic(), time.process_time()
        share = 100 * (cpu - self._cpu) / max(wall - self._wall, 1e-9)
        self._wall, self._cpu = wall, cpu
        found = {"system/process_cpu_percent": share, "system/load_average": os.getloadavg()[0]}
        if _STATM.is_file():
            pages = int(_STATM.read_text(encoding="ascii").split()[1])
            found["system/process_memory_megabytes"] = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
        if torch.cuda.is_available():
            found["system/gpu_memory_megabytes"] = torch.cuda.memory_reserved() / 1e6
            found["system/gpu_peak_memory_megabytes"] = torch.cuda.max_memory_reserved() / 1e6
        return found
