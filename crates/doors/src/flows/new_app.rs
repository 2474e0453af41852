//! Making an app, over REST and by the command line.
//! Next: `presets.rs`, what a new app begins with.

use salon_core::{AccountId, AppId, Timestamp};
use salon_store::acting;
use salon_store::{App, Store};

use crate::flows::presets;
use crate::ids::fresh_id;

/// Longest name of an app, in characters.
pub const MAX_NAME_CHARS: usize = 128;

/// Makes an app of the account, with the default presets in it. The name was checked.
///
/// # Errors
/// `Conflict(AppName)` if the account has one of this name.
pub async fn new_app(store: &Store, account: AccountId, name: String, now: Timestamp) -> salon_store::Result<App> {
    let app = App { id: fresh_id::<AppId>(), account, name, created_at: now };
    acting::about("app", app.id.as_str());
    store.create_app(&app, &presets::defaults(&app.id, now)).await?;
    Ok(app)
}
