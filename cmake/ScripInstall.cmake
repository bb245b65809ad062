# `cmake --install`: the program, one library of all rooms, the headers, pkg-config, a CMake package, man pages.
if(NOT TARGET scrip)
  return()
endif()
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# One static library out of the rooms; the rooms stay apart inside the build, where their borders are checked.
set(library_rooms base money crypto block_host iso7816 iso14443 classic_wire classic_sm classic_front classic_card classic_term
  otp_wire otp_card coupler_field
  pcsc desfire_wire desfire_sm desfire_card desfire_term
  desfire_explain settle journal purse wallet wallet_desfire wallet_storage wallet_otp host originality vcard capture chip_pn532 chip_mfrc522 bus reader_model reader keys ledger relay_tlv relay server)
set(room_targets "")
foreach(room ${library_rooms})
  if(TARGET scrip_${room})
    get_target_property(type scrip_${room} TYPE)
    if(type STREQUAL "STATIC_LIBRARY")
      list(APPEND room_targets scrip_${room})
    endif()
  endif()
endforeach()
set(room_objects "")
foreach(target ${room_targets})
  list(APPEND room_objects $<TARGET_OBJECTS:${target}>)
endforeach()
add_library(scrip_library STATIC ${room_objects})
set_target_properties(scrip_library PROPERTIES OUTPUT_NAME scrip EXPORT_NAME scrip LINKER_LANGUAGE C)
target_include_directories(scrip_library INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

install(TARGETS scrip RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS scrip_library EXPORT scrip-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/scrip DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY profiles/ DESTINATION ${CMAKE_INSTALL_DATADIR}/scrip/profiles OPTIONAL)
install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

# The prefix is found from where the file lies, so that an installed tree may be moved.
file(RELATIVE_PATH SCRIP_PC_TO_PREFIX ${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/scrip.pc.in scrip.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/scrip.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(EXPORT scrip-targets NAMESPACE scrip:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/scrip)
configure_package_config_file(cmake/scrip-config.cmake.in scrip-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/scrip)
write_basic_package_version_file(scrip-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/scrip-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/scrip-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/scrip)

# Man pages and completions are generated from the option tables (tools/).
if(SCRIP_GENERATED_DOCS)
  install(DIRECTORY ${SCRIP_GENERATED_DOCS}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 FILES_MATCHING PATTERN "*.1")
  install(FILES ${SCRIP_GENERATED_DOCS}/scrip.bash RENAME scrip
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions OPTIONAL)
  install(FILES ${SCRIP_GENERATED_DOCS}/_scrip DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions OPTIONAL)
endif()
