//! Bytes into `salon_sfu::inside::h264`, which says what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| salon_sfu::inside::h264(bytes));
