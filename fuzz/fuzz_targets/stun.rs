//! Bytes into `salon_sfu::inside::stun`, which says what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| salon_sfu::inside::stun(bytes));
