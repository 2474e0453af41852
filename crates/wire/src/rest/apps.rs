//! Apps: `/accounts/{account_id}/realtime/kit/apps`. An app owns meetings, presets and sessions (our org).

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::SortOrder;

/// `POST apps`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AppBody {
    /// Unique on the account.
    pub name: String,
}

/// An app as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct App {
    /// A UUID.
    pub id: String,
    /// The name it was made with.
    pub name: String,
    /// When it was made.
    #[schema(format = "date-time")]
    pub created_at: String,
}

/// Answer to `POST apps`: the one create that nests its resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AppCreated {
    /// The new app.
    pub app: App,
}

/// `GET apps`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AppsQuery {
    /// Pages count from 1.
    #[param(minimum = 0)]
    pub page_no: Option<f64>,
    /// How many items a page holds.
    #[param(minimum = 0)]
    pub per_page: Option<f64>,
    /// Part of the name, in any case.
    pub search: Option<String>,
    /// By creation time.
    #[param(inline)]
    pub sort_order: Option<SortOrder>,
}
