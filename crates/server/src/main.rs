//! The `salon` binary: an allocator, and the command line.

use std::process::ExitCode;

/// Many small, short-lived messages: mimalloc frees them without giving each page back to the system.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    salon_server::cli::main()
}
