//! What `salon dev` promises.

/// The account that `salon dev` makes.
pub const DEV_ACCOUNT: &str = "dev";
/// The app that `salon dev` makes.
pub const DEV_APP: &str = "dev";
/// The API token that `salon dev` accepts. Everybody knows it, which is why `salon dev` listens on this computer only.
pub const DEV_TOKEN: &str = "dev-token";
