"""`python -m lab.cloud`: serve the lab's cloud until SIGTERM or SIGINT.

Getting up is nearly all reading: moto's lists of what AWS has, of which nothing is ever given up again. So no garbage
is looked for meanwhile, nor later among them, and botocore reads EC2's description once, not for each partition.
"""

import gc
from functools import cache

import botocore.session

if __name__ == "__main__":
    gc.disable()
    botocore.session.create_loader = cache(botocore.session.create_loader)
    from lab.cloud.server import main

    gc.freeze()
    gc.enable()
    main()
