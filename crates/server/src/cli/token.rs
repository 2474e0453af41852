//! `salon token`: API tokens from the command line, among them the first, which nobody can make over REST.
//! Invariant: a token is shown once, on standard output, and stored as its SHA-256 only.

use anyhow::{Context, bail};
use clap::Subcommand;
use salon_core::{AccountId, AppId, Reach, Scope, Timestamp};
use salon_store::{ApiKey, DAY_MS, Error, Store};

use super::account::account;
use super::audit::by_operator;
use super::database::{Missing, beside_servers};
use super::help;
use super::process::print;
use super::settings::SettingsArgs;
use crate::config::{Config, Mode};
use salon_doors::ids::fresh_id;
use salon_doors::keys::{PREFIX, digest, fresh_secret};
use salon_doors::rfc3339::rfc3339;

/// Letters of the SHA-256 that `list` shows: enough to tell the tokens of an account apart.
const SHOWN: usize = 12;

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token for an account and print it, this once
    #[command(after_help = help::TOKEN_CREATE)]
    Create {
        /// The account it acts for: letters, digits, '-' and '_', 64 at most
        #[arg(long, value_name = "ID", value_parser = account)]
        account: AccountId,
        /// What it is for, to recognise it later
        #[arg(long, value_name = "TEXT", default_value = "")]
        label: String,
        /// Whose it is, for callers that send an email address with it
        #[arg(long, value_name = "EMAIL")]
        email: Option<String>,
        /// How much it may do
        #[arg(long, value_enum, default_value_t = ScopeArg::Manage)]
        scope: ScopeArg,
        /// The only app it is for, one of the account's; all of them if left out
        #[arg(long, value_name = "ID", value_parser = app)]
        app: Option<AppId>,
        /// After how many days it ends; never if left out
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
        expires_days: Option<u32>,
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// List the tokens of an account
    #[command(after_help = help::TOKEN_LIST)]
    List {
        /// The account
        #[arg(long, value_name = "ID", value_parser = account)]
        account: AccountId,
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// Revoke a token
    #[command(after_help = help::TOKEN_REVOKE)]
    Revoke {
        /// The token itself, its SHA-256, or with --account the beginning of it
        #[arg(value_name = "TOKEN")]
        token: String,
        /// The account, needed where only the beginning is given
        #[arg(long, value_name = "ID", value_parser = account)]
        account: Option<AccountId>,
        #[command(flatten)]
        settings: SettingsArgs,
    },
}

/// How much a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ScopeArg {
    /// Look at everything
    Read,
    /// Look at everything and change it
    Manage,
}

fn app(text: &str) -> Result<AppId, String> {
    AppId::parse(text).map_err(|err| err.to_string())
}

pub(super) fn run(command: TokenCommand) -> anyhow::Result<()> {
    match command {
        TokenCommand::Create { account, label, email, scope, app, expires_days, settings } => {
            let config = Config::load(&settings.sources(Mode::Beside))?;
            let secret = fresh_secret();
            let created_at = salon_live::Clock::start().now();
            let scope = if scope == ScopeArg::Read { Scope::Read } else { Scope::Manage };
            let until = expires_days.map(|days| created_at.plus_ms(i64::from(days) * DAY_MS));
            let key = ApiKey {
                id: fresh_id(),
                hash: digest(&secret),
                account,
                email,
                label,
                reach: Reach { scope, app, until },
                created_at,
                used_at: None,
                former: None,
            };
            beside_servers(&config, Missing::Make, async |store| {
                if let Some(app) = &key.reach.app {
                    let found = store.app(app).await.context("the app cannot be read")?;
                    if found.is_none_or(|found| found.account != key.account) {
                        bail!("account {} has no app {app}; `salon app list --account {0}` shows what it has", key.account);
                    }
                }
                let storing = store.insert_api_key(&key);
                let subject = [("key", key.id.as_str())];
                by_operator("token create", Some(key.account.clone()), key.reach.app.clone(), &subject, storing)
                    .await
                    .context("the token cannot be stored")
            })?;
            eprintln!("A token for account {}. It is not shown again:", key.account);
            print(&format!("{secret}\n"))
        }
        TokenCommand::List { account, settings } => {
            let config = Config::load(&settings.sources(Mode::Beside))?;
            let keys = beside_servers(&config, Missing::Fail, async |store| keys(store, &account).await)?;
            if keys.is_empty() {
                eprintln!("Account {account} has no tokens. `salon token create --account {account}` makes one.");
            }
            print(&keys.iter().map(line).collect::<String>())
        }
        TokenCommand::Revoke { token, account, settings } => {
            let config = Config::load(&settings.sources(Mode::Beside))?;
            let hash = beside_servers(&config, Missing::Fail, async |store| {
                let hash = find(store, &token, account.as_ref()).await?;
                let key = store.api_key(&hash).await.context("the tokens cannot be read")?;
                let (id, of) = match &key {
                    Some(key) => (key.id.to_string(), Some(key.account.clone())),
                    None => bail!("there is no such token"),
                };
                let app = key.and_then(|key| key.reach.app);
                let revoking = store.revoke_api_key(&hash);
                match by_operator("token revoke", of, app, &[("key", &id)], revoking).await {
                    Err(Error::NotFound) => bail!("there is no such token"),
                    outcome => outcome.context("the token cannot be revoked")?,
                }
                Ok(hash)
            })?;
            print(&format!("revoked {}\n", &hex::encode(hash)[..SHOWN]))
        }
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).is_ok().then_some(hash)
}

async fn keys(store: &Store, account: &AccountId) -> anyhow::Result<Vec<ApiKey>> {
    store.api_keys(account).await.context("the tokens cannot be read")
}

fn line(key: &ApiKey) -> String {
    let email = key.email.as_deref().unwrap_or("-");
    // Escaped: what someone wrote must not move the cursor of who reads it.
    let label = key.label.escape_debug();
    format!(
        "{}  {}  {}  {}{label}\n",
        &hex::encode(key.hash)[..SHOWN],
        rfc3339(key.created_at),
        email.escape_debug(),
        limits(key)
    )
}

/// What a token has less than others, and when it was last used; nothing of one that has everything and was not.
fn limits(key: &ApiKey) -> String {
    let moment = |word: &str, at: Option<Timestamp>| at.map(|at| format!("{word} {}", rfc3339(at)));
    let parts = [
        (key.reach.scope == Scope::Read).then(|| "read only".to_owned()),
        key.reach.app.as_ref().map(|app| format!("app {app}")),
        moment("until", key.reach.until),
        moment("used", key.used_at),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!("({})  ", parts.join(", ")) }
}

/// The token that is meant.
async fn find(store: &Store, token: &str, account: Option<&AccountId>) -> anyhow::Result<[u8; 32]> {
    if token.starts_with(PREFIX) {
        return Ok(digest(token));
    }
    if let Some(hash) = unhex(token) {
        return Ok(hash);
    }
    let Some(account) = account else {
        bail!("the beginning of a token's SHA-256 is enough only with --account ID");
    };
    let start = token.to_ascii_lowercase();
    let found: Vec<[u8; 32]> = keys(store, account)
        .await?
        .into_iter()
        .map(|key| key.hash)
        .filter(|hash| hex::encode(hash).starts_with(&start))
        .collect();
    match found[..] {
        [hash] if !start.is_empty() => Ok(hash),
        [] => bail!("account {account} has no token {token}; `salon token list --account {account}` shows what it has"),
        _ => bail!("{} tokens of account {account} begin with {token:?}: give more letters", found.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_and_never_the_same() {
        let token = fresh_secret();
        assert_eq!(token.len(), PREFIX.len() + 64);
        assert_ne!(token, fresh_secret());
    }

    #[test]
    fn a_hash_is_read_back_whole_or_not_at_all() {
        let hash = digest("dev-token");
        assert_eq!(unhex(&hex::encode(hash)), Some(hash));
        for wrong in ["", "3f9a", &hex::encode(hash)[1..], &"x".repeat(64)] {
            assert_eq!(unhex(wrong), None, "{wrong}");
        }
    }
}
