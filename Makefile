# Makefile: builds, tests and installs leadping for Lua.
# `make help` lists the targets. What may be set: CC, CFLAGS, LUA_VERSION or
# LUA (the interpreter), PREFIX, DESTDIR; and LUA_CFLAGS, CURL_CFLAGS, CURL_LIBS where pkg-config
# does not know. luarocks builds and installs through this file too.
# MIT, see LICENSE.

# ENGINE, a version or luajit, names headers and build directory. An interpreter
# that is given says which it is; one that is still to be installed, by its name.
ifdef LUA
ENGINE := $(or $(shell $(LUA) -e 'print(jit and "luajit" or (_VERSION:match("%d+%.%d+")))' \
  2>/dev/null),$(patsubst lua5.%,5.%,$(notdir $(LUA))))
override LUA_VERSION := $(ENGINE:luajit=5.1)
else
LUA_VERSION ?= 5.4
ENGINE := $(LUA_VERSION)
LUA = lua$(LUA_VERSION)
endif
PREFIX ?= /usr/local
INST_LUADIR ?= $(PREFIX)/share/lua/$(LUA_VERSION)
INST_LIBDIR ?= $(PREFIX)/lib/lua/$(LUA_VERSION)
INST_BINDIR ?= $(PREFIX)/bin

PKG_CONFIG ?= pkg-config
LUA_PACKAGES = $(if $(filter luajit,$(ENGINE)),luajit,lua$(ENGINE) lua-$(ENGINE) lua)
LUA_CFLAGS ?= $(if $(LUA_INCDIR),-I$(LUA_INCDIR),$(shell for name in $(LUA_PACKAGES); do \
  $(PKG_CONFIG) --cflags $$name 2>/dev/null && break; done))
CURL_CFLAGS ?= $(shell $(PKG_CONFIG) --cflags libcurl 2>/dev/null)
CURL_LIBS ?= $(or $(shell $(PKG_CONFIG) --libs libcurl 2>/dev/null),-lcurl)

CFLAGS ?= -O2 -g
WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes \
  -Wmissing-prototypes -Wwrite-strings -Wconversion
ALL_CFLAGS = -std=c99 -fPIC -fvisibility=hidden $(WARNINGS) $(CFLAGS) \
  -DBUILT_FOR=$(subst .,0,$(LUA_VERSION)) $(LUA_CFLAGS) $(CURL_CFLAGS)

# nodelete: a thread of libcurl's resolver may outlive the last session, and
# with it the last reference to the module (csrc/transfer.c, QUICK_EXIT).
ifeq ($(shell uname -s),Darwin)
MODULE_LDFLAGS = -bundle -undefined dynamic_lookup
else
MODULE_LDFLAGS = -shared -Wl,-z,nodelete
endif

MAKEFLAGS += --no-print-directory

BUILD = build/$(ENGINE)
CORE = $(BUILD)/leadping/core.so
SOURCES = $(wildcard csrc/*.c)
OBJECTS = $(SOURCES:csrc/%.c=$(BUILD)/obj/%.o)
PROGRAM = $(BUILD)/bin/leadping
MODULES = $(patsubst lua/%,%,$(wildcard lua/leadping/*.lua lua/leadping/*/*.lua))

# What lets any Lua use the checkout. ";;" stands for Lua's own default path.
CHECKOUT_PATH = $(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;$(or $(LUA_PATH),;)
CHECKOUT_CPATH = $(CURDIR)/$(BUILD)/?.so;$(or $(LUA_CPATH),;)
VERSION_SUFFIX = $(subst .,_,$(LUA_VERSION))
CHECKOUT_ENV = -u LUA_PATH_$(VERSION_SUFFIX) -u LUA_CPATH_$(VERSION_SUFFIX) \
  LUA_PATH='$(CHECKOUT_PATH)' LUA_CPATH='$(CHECKOUT_CPATH)'
TORTURE_SCRIPTS = $(addprefix spec/torture/,run alloc syscalls journal wire bulk nginx fuzz \
  sanitize coverage)
EMULATOR = spec/server/emulator

# What `make lint` asks the form of, and `make format` puts in form.
FORMATTED = csrc/*.[ch] spec/*/*.[ch]

# What `make test-all` and `make lint` go through.
LUAS = lua5.1 lua5.2 lua5.3 lua5.4 lua5.5 luajit
INSTALLED_LUAS = $(foreach lua,$(LUAS),$(if $(shell command -v $(lua)),$(lua)))

.PHONY: all help demo test test-all test-page openresty-demo torture bench emulator env \
  lint strict format docs install uninstall clean \
  tools-run tools-test tools-lint tools-bench tools-torture tools-docs tools-page

all: $(CORE) $(PROGRAM)

help:
	@echo 'make            build the module'
	@echo 'make demo       clear three overrides on the emulator'
	@echo 'make test       run all specs; LUA_VERSION=5.1 or LUA=luajit for another Lua'
	@echo 'make test-all   run them on every Lua that is installed'
	@echo 'make test-page  use the page of examples/openresty in a headless Chromium'
	@echo 'make openresty-demo  run examples/openresty on the emulator until Ctrl-C'
	@echo 'make torture    run every fault there is; MODE=quick for a part of them'
	@echo 'make emulator   run the emulator until Ctrl-C, to prototype without a key'
	@echo 'make env        print the exports that let any Lua use this checkout'
	@echo 'make install    install to PREFIX ($(PREFIX)), under DESTDIR'
	@echo 'make uninstall  take it out again'
	@echo 'make bench      measure, beside C programs that do the same'
	@echo 'make docs       write the API documentation to doc/'
	@echo 'make lint       luacheck, clang-tidy, cppcheck, formatting'
	@echo 'make format     put the C sources in form'
	@echo 'make clean      remove build/ and doc/'

$(CORE): $(OBJECTS)
	$(CC) $(ALL_CFLAGS) $(MODULE_LDFLAGS) $(LDFLAGS) -o $@ $(OBJECTS) $(CURL_LIBS) -lpthread

$(BUILD)/obj/%.o: csrc/%.c $(wildcard csrc/*.h) Makefile
	@mkdir -p $(@D) $(BUILD)/leadping
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

# $(call write_program,FILE,SHARE,LIB): the command line program, and where it
# looks for its modules first; nowhere in particular where that is empty.
INTERPRETER = $(if $(findstring /,$(LUA)),$(LUA),/usr/bin/env $(LUA))
TEMPLATE = lua/leadping/cli/launcher.in
define write_program
sed -e 's|@INTERPRETER@|$(INTERPRETER)|' -e 's|@SHARE@|$(2)|' \
  -e 's|@LIB@|$(3)|' $(TEMPLATE) >'$(1)' && chmod 755 '$(1)'
endef

$(PROGRAM): $(TEMPLATE) Makefile
	@mkdir -p $(@D)
	@$(call write_program,$@,$(CURDIR)/lua,$(CURDIR)/$(BUILD))

# Each asks .ci/install for the programs and libraries that it uses itself.
tools-run tools-test tools-lint tools-bench tools-torture tools-docs tools-page: tools-%:
	@env LUA='$(LUA)' ENGINE='$(ENGINE)' .ci/install $*

demo: tools-run
	@$(MAKE) -s all
	@$(EMULATOR) run env $(CHECKOUT_ENV) $(LUA) examples/demo.lua

test: tools-test
	@$(MAKE) -s all
	@EMULATOR_RECORD=1 $(EMULATOR) run env $(CHECKOUT_ENV) LUA='$(LUA)' BUILD='$(BUILD)' \
	  spec/run $(SPECS)

test-all: tools-test
	@spec/run-all $(INSTALLED_LUAS)

PAGE_BUILD = build/page
test-page: tools-page
	@$(MAKE) -s all
	@mkdir -p $(PAGE_BUILD)
	@EMULATOR_RECORD=1 $(EMULATOR) run env $(CHECKOUT_ENV) LUA='$(LUA)' BUILD='$(PAGE_BUILD)' \
	  spec/run spec/browser/page.lua

# nginx's Lua is LuaJIT, whatever LUA is.
ifeq ($(ENGINE),luajit)
openresty-demo: tools-run
	@$(MAKE) -s all
	@$(EMULATOR) run env $(CHECKOUT_ENV) examples/openresty/demo
else
openresty-demo:
	@$(MAKE) LUA=luajit $@
endif

MODE ?= full
torture: tools-torture
	@$(MAKE) -s all
	@env $(CHECKOUT_ENV) LUA='$(LUA)' spec/torture/run $(MODE) $(PARTS)

bench: tools-bench
	@$(MAKE) -s all
	@env $(CHECKOUT_ENV) LUA='$(LUA)' CC='$(CC)' CURL_LIBS='$(CURL_LIBS)' \
	  CFLAGS='$(CFLAGS)' CURL_CFLAGS='$(CURL_CFLAGS)' spec/bench/run $(PARTS)

emulator: tools-run
	@$(EMULATOR) serve

env:
	@$(MAKE) -s all >&2
	@echo "export LUA_PATH='$(CHECKOUT_PATH)'"
	@echo "export LUA_CPATH='$(CHECKOUT_CPATH)'"
	@echo "export PATH='$(CURDIR)/$(BUILD)/bin':\"\$$PATH\""

# Every C file, with the headers of each Lua and by each compiler: none may warn.
strict:
	@for lua in $(INSTALLED_LUAS); do for cc in gcc clang; do \
	  echo "compile for $$lua with $$cc"; \
	  $(MAKE) -s LUA=$$lua CC=$$cc CFLAGS='-O2 -Werror' BUILD=build/strict/$$lua-$$cc || exit 1; \
	done; done

lint: tools-lint strict
	luacheck --quiet lua spec examples .ldoc .luacheckrc
	shellcheck .ci/install .ci/run spec/run spec/run-all spec/find-key spec/server/emulator \
	  spec/server/certificates spec/bench/run $(TORTURE_SCRIPTS) \
	  examples/openresty/start examples/openresty/demo
	clang-format --dry-run --Werror $(FORMATTED)
	clang-tidy --quiet csrc/*.c -- -std=c99 $(LUA_CFLAGS) $(CURL_CFLAGS)
	cppcheck --quiet --std=c99 --enable=warning,portability,performance \
	  --inline-suppr --error-exitcode=1 csrc

format: tools-lint
	clang-format -i $(FORMATTED)

# The modules that users see. LDoc reads them as .ldoc/filter.lua rewrites them.
DOCUMENTED = init client selection errors events iterator loops types transport mock

docs: tools-docs
	@rm -rf build/docs doc && mkdir -p build/docs/src
	@for module in $(DOCUMENTED); do \
	  $(LUA) .ldoc/filter.lua lua/leadping/$$module.lua >build/docs/src/$$module.lua \
	    || exit 1; \
	done
	@cp .ldoc/config.ld build/docs
	@cd build/docs && ldoc --fatalwarnings -c config.ld -d '$(CURDIR)/doc' . >/dev/null
	@$(LUA) .ldoc/check.lua README.md doc/modules/*.html $(DOCUMENTED:%=lua/leadping/%.lua)
	@echo 'doc/index.html'

# Lua looks below these by itself. LuaRocks, which gives its own directories and
# no PREFIX, sees to it.
IS_FOUND = $(filter /usr /usr/local,$(PREFIX))

install: all
	install -d '$(DESTDIR)$(INST_LIBDIR)/leadping'
	install -m 755 $(CORE) '$(DESTDIR)$(INST_LIBDIR)/leadping/core.so'
	@for module in $(MODULES); do \
	  install -d "$(DESTDIR)$(INST_LUADIR)/$$(dirname $$module)" && \
	  install -m 644 "lua/$$module" "$(DESTDIR)$(INST_LUADIR)/$$module" || exit 1; \
	  echo "install lua/$$module"; \
	done
	install -d '$(DESTDIR)$(INST_BINDIR)'
	@$(call write_program,$(DESTDIR)$(INST_BINDIR)/leadping,$(if $(IS_FOUND),,$(INST_LUADIR)),$(if \
	  $(IS_FOUND),,$(INST_LIBDIR)))
	@echo 'install $(INST_BINDIR)/leadping'

uninstall:
	rm -rf '$(DESTDIR)$(INST_LIBDIR)/leadping' '$(DESTDIR)$(INST_LUADIR)/leadping'
	rm -f '$(DESTDIR)$(INST_BINDIR)/leadping'

clean:
	rm -rf build doc
