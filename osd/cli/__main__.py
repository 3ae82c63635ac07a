"""`python -m osd.cli` is `osdlog`.

Rule: nothing is done here.
"""

from osd.cli.app import main

main()
