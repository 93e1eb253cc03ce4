-- spec/helper.lua: run by busted before the first spec file.
-- busted forgets modules from one file to the next; these outlive that.
-- MIT, see LICENSE.

-- luv's default loop goes with the module, and libuv does not survive a second.
pcall(require, "luv")
