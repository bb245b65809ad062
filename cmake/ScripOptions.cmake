# Warnings and instrumentation, the same for every target.
add_library(scrip_options INTERFACE)
target_compile_options(scrip_options INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith -Wundef -Werror
  -fno-common)
if(NOT SCRIP_FREESTANDING)
  target_compile_definitions(scrip_options INTERFACE _GNU_SOURCE)
  target_compile_options(scrip_options INTERFACE -fstack-protector-strong)
endif()
if(SCRIP_SANITIZE)
  target_compile_options(scrip_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  target_link_options(scrip_options INTERFACE -fsanitize=address,undefined)
endif()
if(SCRIP_COVERAGE)
  target_compile_options(scrip_options INTERFACE --coverage -O0)
  target_link_options(scrip_options INTERFACE --coverage)
endif()
if(SCRIP_FUZZ)
  target_compile_options(scrip_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
