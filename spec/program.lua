-- spec/program.lua: the command line program with the modules of the specs.
-- The one that `make` writes looks for its own; install_spec.lua runs that.
-- MIT, see LICENSE.

os.exit(require("leadping.cli.main").main(arg))
