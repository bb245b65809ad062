# scrip_defects(TEST ROOMS...)
#   Links the named rooms into a test a second time, compiled with their deliberate defects (include/scrip/defect.h).
#   Objects come before libraries, so these win over the rooms that the test links as well. Only tests have them: what
#   is built to be used has none, which tests/defects looks after.
function(scrip_defects test)
  target_compile_definitions(${test} PRIVATE SCRIP_TEST_DEFECTS)
  foreach(room base ${ARGN}) # base says which defect is on
    scrip_defective_room(${room})
    target_link_libraries(${test} PRIVATE defective_${room})
  endforeach()
endfunction()

# The object library defective_ROOM, made once for all tests.
function(scrip_defective_room room)
  if(TARGET defective_${room})
    return()
  endif()
  get_target_property(dir scrip_${room} SOURCE_DIR)
  get_target_property(sources scrip_${room} SOURCES)
  get_target_property(links scrip_${room} LINK_LIBRARIES)
  list(TRANSFORM sources PREPEND ${dir}/ REGEX "^[^/]")
  add_library(defective_${room} OBJECT EXCLUDE_FROM_ALL ${sources})
  target_compile_definitions(defective_${room} PRIVATE SCRIP_TEST_DEFECTS)
  target_include_directories(defective_${room} PRIVATE ${PROJECT_SOURCE_DIR}/include ${dir})
  target_link_libraries(defective_${room} PRIVATE ${links})
endfunction()
