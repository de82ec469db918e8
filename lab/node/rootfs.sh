#!/bin/sh
# rootfs.sh OUT: the file system below a kind node, from the Debian packages this machine's apt already uses.
set -eu
out=$1
suite=bookworm
packages=systemd,systemd-sysv,dbus,conntrack,iptables,nftables,iproute2,ethtool,util-linux,mount,kmod,libseccomp2,pigz,bash
packages=$packages,ca-certificates,curl,jq,procps,containerd,runc,containernetworking-plugins,socat,ebtables,libatomic1

# shellcheck disable=SC2016 # the $(...) are apt's own format fields
mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' | awk -v s="$suite" '$1 == s {print $2; exit}')
debootstrap --variant=minbase --include="$packages" "$suite" "$out" ${mirror:+"$mirror"}

# Nothing that only an installed machine needs.
rm -rf "$out"/var/cache/apt/* "$out"/var/lib/apt/lists/* "$out"/var/log/*.log "$out"/var/cache/debconf/*-old
for folder in doc man locale info; do rm -rf "$out/usr/share/$folder"; done
# Every node makes its own identity; a shared one gives all nodes the same addresses.
rm -f "$out/etc/machine-id" "$out/var/lib/dbus/machine-id"
# The units that kind's own Dockerfile removes: they touch the host or wait for devices that no container has.
units=$out/lib/systemd/system
find "$units/sysinit.target.wants" -name systemd-tmpfiles-setup.service -delete
for wants in multi-user local-fs basic; do rm -f "$units/$wants.target.wants"/*; done
rm -f "$units"/sockets.target.wants/*udev* "$units"/sockets.target.wants/*initctl* "$units/containerd.service"
rm -rf "$out"/etc/systemd/system/*.wants
rm -f "$out"/etc/cni/net.d/*
echo ReadKMsg=no >> "$out/etc/systemd/journald.conf"
