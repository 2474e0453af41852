//! The success envelope, added in this one place.
//! Next: `error.rs` for the other one.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use salon_wire::rest::envelope::{Envelope, Page, Paging};
use serde::Serialize;

use crate::rest::error::ApiError;

/// What a handler returns that answers with one resource.
pub type Answer<T> = Result<Reply<Envelope<T>>, ApiError>;

/// What a handler returns that answers with a page of a list.
pub type Listed<T> = Result<Reply<Page<T>>, ApiError>;

/// An envelope on its way out.
#[derive(Debug)]
pub struct Reply<E> {
    status: StatusCode,
    envelope: E,
}

/// 200.
pub fn data<T>(data: T) -> Answer<T> {
    Ok(Reply { status: StatusCode::OK, envelope: Envelope { success: true, data } })
}

/// 201.
pub fn created<T>(data: T) -> Answer<T> {
    Ok(Reply { status: StatusCode::CREATED, envelope: Envelope { success: true, data } })
}

/// 200, with the place of the data in its list.
pub fn page<T>(data: T, paging: Paging) -> Listed<T> {
    Ok(Reply { status: StatusCode::OK, envelope: Page { success: true, data, paging } })
}

impl<E: Serialize> IntoResponse for Reply<E> {
    fn into_response(self) -> Response<Body> {
        json(self.status, &self.envelope)
    }
}

/// Any JSON answer. Nothing in the API may be kept by a cache: answers hold tokens and live counts.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    // A session is about 500 bytes: one allocation is enough for the common answers.
    let mut bytes = Vec::with_capacity(640);
    if let Err(error) = serde_json::to_writer(&mut bytes, value) {
        return ApiError::internal(error).into_response();
    }
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
