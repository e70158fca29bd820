"""Prints how many characters each line has: pmapgcd --header -k name --append=letters --command 'python3 letters.py' screens.csv"""
import sys

for line in sys.stdin:
    print(len(line.rstrip("\n")), flush=True)
