"""The witness over HTTP (C2SP tlog-witness): a server for clients to run, and the client that asks it.

server   `witness_app`: the ASGI shell around `sekisho.evidence.witness`, and `serve` under uvicorn
client   `WitnessClient.cosign`: one cosignature from one witness; `collect`: from several at once
faults   what a person is told
"""
