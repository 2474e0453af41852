//! Settings in the environment.

/// What stands before the name of every setting in the environment.
pub(super) const ENV_PREFIX: &str = "SALON_";

/// The variable that gives a setting: `SALON_DATABASE_URL` for `database.url`.
pub fn env_name(key: &str) -> String {
    format!("{ENV_PREFIX}{}", key.replace('.', "_").to_ascii_uppercase())
}
