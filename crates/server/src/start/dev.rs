//! What `salon dev` finds ready.

use salon_core::{AccountId, AppId, Reach, Timestamp};
use salon_doors::flows::presets;
use salon_doors::ids::fresh_id;
use salon_doors::keys::digest;
use salon_store::{ApiKey, Store};

use crate::config::{DEV_ACCOUNT, DEV_APP, DEV_TOKEN};

/// The account, app and token that `salon dev` promises.
pub async fn prepare(store: &Store, now: Timestamp) -> anyhow::Result<()> {
    let account = AccountId::parse(DEV_ACCOUNT)?;
    let app = AppId::parse(DEV_APP)?;
    if store.app(&app).await?.is_none() {
        let row = salon_store::App { id: app.clone(), account: account.clone(), name: DEV_APP.to_string(), created_at: now };
        store.create_app(&row, &presets::defaults(&app, now)).await?;
    }
    let key = ApiKey {
        id: fresh_id(),
        hash: digest(DEV_TOKEN),
        account,
        email: None,
        label: "salon dev".to_string(),
        reach: Reach::FULL,
        created_at: now,
        used_at: None,
        former: None,
    };
    store.insert_api_key(&key).await?;
    Ok(())
}
