#!/usr/bin/env python3
"""Makes a C file that holds the files of a folder, so that the binary carries its examples.

embed.py FOLDER OUTPUT.c DEPFILE: defines firn_embedded_<folder name>, an array of firn_embedded
(embed.h) that ends with a row without path. Files come sorted, pipeline.yaml last: the file that
makes a folder a pipeline is written when all others are there.
"""
import os
import sys


def c_array(data):
    """The bytes in rows of 20, with a NUL behind them that is not counted."""
    numbers = [str(byte) for byte in data] + ["0"]
    return ",\n    ".join(",".join(numbers[i:i + 20]) for i in range(0, len(numbers), 20))


def main():
    folder, output, depfile = sys.argv[1:]
    found, watched = [], []
    for base, folders, files in os.walk(folder):
        folders.sort()
        watched.append(base)
        found += [os.path.relpath(os.path.join(base, name), folder) for name in files if not name.startswith(".")]
    found.sort(key=lambda path: (path == "pipeline.yaml", path))
    name = os.path.basename(folder)
    with open(output, "w") as out:
        out.write('#include "embed.h"\n\n')
        for i, path in enumerate(found):
            with open(os.path.join(folder, path), "rb") as file:
                out.write(f"static const unsigned char file_{i}[] = {{\n    {c_array(file.read())}}};\n")
        out.write(f"\nconst firn_embedded firn_embedded_{name}[] = {{\n")
        for i, path in enumerate(found):
            out.write(f'    {{"{path}", file_{i}, sizeof(file_{i}) - 1}},\n')
        out.write("    {0},\n};\n")
    with open(depfile, "w") as deps:
        inputs = watched + [os.path.join(folder, path) for path in found]
        deps.write(f"{output}: {' '.join(path.replace(' ', chr(92) + ' ') for path in inputs)}\n")


main()
