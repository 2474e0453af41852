//! How the binary that people run is linked: as small as it can be where the linker knows how.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, wanted: &str| std::env::var(name).is_ok_and(|value| value == wanted);
    let target = is("CARGO_CFG_TARGET_ARCH", "x86_64") && is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu");
    // There Rust links with LLD, since 1.90.
    if !target || !is("PROFILE", "release") {
        return;
    }
    // Functions whose code is the same are there once: generic code has many. 0.8 MiB.
    println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    // A package with an optimisation of its own, as this one has, is not stripped by what the profile says.
    println!("cargo::rustc-link-arg-bins=-Wl,--strip-all");
    // What the loader moves is written as a map of bits. 1.4 MiB; an older C library does not start such a program.
    if libc_minor().is_some_and(|minor| minor >= 36) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The 36 of "glibc 2.36", if that is what is here.
fn libc_minor() -> Option<u32> {
    let said = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    String::from_utf8(said.stdout).ok()?.trim().strip_prefix("glibc 2.")?.split('.').next()?.parse().ok()
}
