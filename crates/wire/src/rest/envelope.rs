//! What every answer is wrapped in: data with its place in a list, or an error.
//! The SDKs hand the whole envelope to their callers, who read `data` and `paging`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A successful answer with one resource, or an object around several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Envelope<T> {
    /// Always true: refusals have the shape of an error.
    pub success: bool,
    /// The resource.
    pub data: T,
}

/// A successful answer with one page of a list. `T` is the array, or for sessions and their
/// participants the object around it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// Always true: refusals have the shape of an error.
    pub success: bool,
    /// The page's items.
    pub data: T,
    /// Where the page lies.
    pub paging: Paging,
}

/// Where a page lies in the whole list. Positions count from 1 and are inclusive; an empty page has zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Paging {
    /// How many items match, on all pages together.
    pub total_count: u64,
    /// Position of the page's first item.
    pub start_offset: u64,
    /// Position of the page's last item.
    pub end_offset: u64,
}

/// A refused or failed request. RealtimeKit's own clients read `error`, the Cloudflare SDKs' `.errors` reads `errors`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// Always false.
    pub success: bool,
    /// What went wrong; its code repeats the HTTP status.
    pub error: ErrorItem,
    /// The same error as a list of one, for readers of the general Cloudflare shape.
    pub errors: Vec<ErrorItem>,
}

/// One error: a number for programs and a sentence for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ErrorItem {
    /// The HTTP status, or a Cloudflare code such as 10000 for a wrong credential.
    pub code: u32,
    /// Short public text, such as `BAD_REQUEST: "name" is required`.
    pub message: String,
}
