//! The address by which this server was called, for links that it hands out: who reached us one way reaches us so again.
//! Invariant: a link is absolute, because clients put it into messages that others open elsewhere.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;

use crate::host_names::host;
use crate::rest::error::ApiError;
use crate::rest::settings::PublicUrl;

/// Such as `https://api.meet.example.org`, without a slash at the end.
#[derive(Debug)]
pub struct Here(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Here
where
    PublicUrl: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let PublicUrl(public) = PublicUrl::from_ref(state);
        if !public.is_empty() {
            return Ok(Self(public.to_string()));
        }
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let host = host(&parts.uri, &parts.headers).ok_or_else(|| ApiError::bad_request("the request has no host"))?;
        // Proxies in a row each add their own; the first saw the client.
        let first = header("x-forwarded-proto").and_then(|schemes| schemes.split(',').next()).map(str::trim);
        let scheme = if first == Some("https") { "https" } else { "http" };
        Ok(Self(format!("{scheme}://{host}")))
    }
}
