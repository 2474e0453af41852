//! Tests that need more than one crate. House rules: `tidy.rs`; official SDKs: `conformance/`; browsers: `e2e/`.
