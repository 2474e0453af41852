//! `salon token`: API tokens, which only this command makes.
//! Invariant: a token is shown once, on standard output, and stored as its SHA-256 only.

use anyhow::{Context, bail};
use clap::Subcommand;
use salon_core::AccountId;
use salon_store::{ApiKey, Error, Store};

use super::database::{Missing, beside_servers};
use super::help;
use super::process::print;
use super::settings::SettingsArgs;
use crate::config::{Config, Mode};
use salon_doors::keys::digest;
use salon_doors::rfc3339::rfc3339;

/// What tokens begin with, so that people and scanners of leaked secrets know one when they see it.
const PREFIX: &str = "salon_";

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

pub(super) fn account(text: &str) -> Result<AccountId, String> {
    AccountId::parse(text).map_err(|err| err.to_string())
}

pub(super) fn run(command: TokenCommand) -> anyhow::Result<()> {
    match command {
        TokenCommand::Create { account, label, email, settings } => {
            let config = Config::load(&settings.sources(Mode::Beside))?;
            let secret = fresh();
            let created_at = salon_live::Clock::start().now();
            let key = ApiKey { hash: digest(&secret), account, email, label, created_at };
            beside_servers(&config, Missing::Make, async |store| {
                store.insert_api_key(&key).await.context("the token cannot be stored")
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
                match store.revoke_api_key(&hash).await {
                    Err(Error::NotFound) => bail!("there is no such token"),
                    outcome => outcome.context("the token cannot be revoked")?,
                }
                Ok(hash)
            })?;
            print(&format!("revoked {}\n", &hex(&hash)[..SHOWN]))
        }
    }
}

/// 256 random bits: more than anybody can guess, so its SHA-256 needs no slowing down.
fn fresh() -> String {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
    format!("{PREFIX}{}", hex(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    if digits.len() == 64 { bytes.try_into().ok() } else { None }
}

async fn keys(store: &Store, account: &AccountId) -> anyhow::Result<Vec<ApiKey>> {
    store.api_keys(account).await.context("the tokens cannot be read")
}

fn line(key: &ApiKey) -> String {
    let email = key.email.as_deref().unwrap_or("-");
    // Escaped: what someone wrote must not move the cursor of who reads it.
    let label = key.label.escape_debug();
    format!("{}  {}  {}  {label}\n", &hex(&key.hash)[..SHOWN], rfc3339(key.created_at), email.escape_debug())
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
    let found: Vec<[u8; 32]> =
        keys(store, account).await?.into_iter().map(|key| key.hash).filter(|hash| hex(hash).starts_with(&start)).collect();
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
        let token = fresh();
        assert_eq!(token.len(), PREFIX.len() + 64);
        assert_ne!(token, fresh());
    }

    #[test]
    fn a_hash_is_read_back_whole_or_not_at_all() {
        let hash = digest("dev-token");
        assert_eq!(unhex(&hex(&hash)), Some(hash));
        for wrong in ["", "3f9a", &hex(&hash)[1..], &"x".repeat(64)] {
            assert_eq!(unhex(wrong), None, "{wrong}");
        }
    }
}
