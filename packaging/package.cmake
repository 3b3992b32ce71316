# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# The .deb packages, one a component: provider (the libibverbs driver and libberth), perftest (launchers, shim, benchmark),
# dkms (the kernel sources, built on the target). Included from the top after every install() was said.
# Each has in packaging/COMPONENT what dpkg runs or needs to know.

set(berth_src "src/berth-${PROJECT_VERSION}")
configure_file(packaging/dkms/dkms.conf.in packaging/dkms.conf @ONLY)
foreach(script postinst prerm)
	configure_file(packaging/dkms/${script}.in packaging/dkms/${script} @ONLY
		FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
endforeach()

install(FILES ${CMAKE_BINARY_DIR}/packaging/dkms.conf packaging/dkms/Kbuild
	DESTINATION /usr/${berth_src} COMPONENT dkms EXCLUDE_FROM_ALL)
install(DIRECTORY kernel include DESTINATION /usr/${berth_src} COMPONENT dkms EXCLUDE_FROM_ALL
	FILES_MATCHING PATTERN "*.[chS]" PATTERN "Kbuild" PATTERN "Makefile" PATTERN "*.mod.c" EXCLUDE)
foreach(component provider perftest dkms)
	install(FILES packaging/copyright DESTINATION /usr/share/doc/berth-${component}
		COMPONENT ${component} EXCLUDE_FROM_ALL)
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME berth)
set(CPACK_PACKAGE_VENDOR berth)
set(CPACK_PACKAGE_CONTACT "berth maintainers <berth@localhost>")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_SET_DESTDIR ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_COMPONENTS_ALL provider perftest dkms)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)

set(CPACK_COMPONENT_PROVIDER_DESCRIPTION "libibverbs driver of berth, the software RDMA device for dma-bufs
 Lets verbs programs use devices of type berth. With what is needed to build programs with berth's direct verbs.")
set(CPACK_DEBIAN_PROVIDER_PACKAGE_NAME berth-provider)
set(CPACK_DEBIAN_PROVIDER_PACKAGE_SECTION libs)
# Not from shlibdeps, which does not know the private ABI that the driver is built for: rdma-core 34 to 56, nor that it moved in 36.
set(CPACK_DEBIAN_PROVIDER_PACKAGE_DEPENDS "libc6, libibverbs1 (>= 36), libibverbs1 (<< 57)")
set(CPACK_DEBIAN_PROVIDER_PACKAGE_CONTROL_EXTRA
	"${CMAKE_SOURCE_DIR}/packaging/provider/conffiles;${CMAKE_SOURCE_DIR}/packaging/provider/triggers")

set(CPACK_COMPONENT_PERFTEST_DESCRIPTION "perftest with --use_dmabuf
 Launchers named like perftest's tools, and a library to preload that puts a verbs program's buffers into a dma-buf.")
set(CPACK_DEBIAN_PERFTEST_PACKAGE_NAME berth-perftest)
set(CPACK_DEBIAN_PERFTEST_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PERFTEST_PACKAGE_DEPENDS "libc6, libibverbs1, perftest, berth-provider")

set(CPACK_COMPONENT_DKMS_DESCRIPTION "kernel modules of berth, built by DKMS
 A software RDMA device whose memory regions can be dma-bufs.")
set(CPACK_DEBIAN_DKMS_PACKAGE_NAME berth-dkms)
set(CPACK_DEBIAN_DKMS_PACKAGE_SECTION kernel)
set(CPACK_DEBIAN_DKMS_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_DKMS_PACKAGE_DEPENDS "dkms (>= 2.8)")
set(CPACK_DEBIAN_DKMS_PACKAGE_RECOMMENDS "berth-provider, iproute2")
set(CPACK_DEBIAN_DKMS_PACKAGE_CONTROL_EXTRA
	"${CMAKE_BINARY_DIR}/packaging/dkms/postinst;${CMAKE_BINARY_DIR}/packaging/dkms/prerm")
include(CPack)
