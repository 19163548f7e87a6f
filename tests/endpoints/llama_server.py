"""llama.cpp's own HTTP server, from the package xllamacpp: llama_server.py GGUF PORT"""

import signal
import sys

import xllamacpp

settings = xllamacpp.CommonParams()
settings.model.path, settings.port = sys.argv[1], int(sys.argv[2])
settings.n_ctx, settings.n_parallel, settings.cpuparams.n_threads = 4096, 2, 1
server = xllamacpp.Server(settings)
signal.pause()
