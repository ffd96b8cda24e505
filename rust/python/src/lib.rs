//! `_crucible._native`: registration only.
//!
//! | file | what |
//! | --- | --- |
//! | `door` | releases the GIL, waits, polls signals, catches panics: the only crossing |
//! | `engine` | threads and connections of this process |
//! | `errors` | error kinds to Python classes |
//! | `arrow`, `buffer` | capsules and the buffer protocol |
//! | `limits` | how much strangers' files may make this process allocate |
//! | `objects` | the row maker and the object eater |
//! | `source`, `hashing` | a hub file seen as a byte source: the join of the two core crates; its hash, beside the reading |
//! | `hub`, `data` | the classes |

use pyo3::prelude::*;

mod arrow;
mod buffer;
mod data;
mod door;
mod engine;
mod errors;
mod hashing;
mod hub;
mod limits;
mod objects;
mod source;
mod tee;
mod testing;

#[global_allocator]
static ALLOCATOR: crucible_data::LargeBlocks = crucible_data::LargeBlocks;

/// Features JSON of an object with `__arrow_c_schema__`.
#[pyfunction]
fn features_from_arrow_schema(schema: &Bound<'_, PyAny>) -> PyResult<String> {
    let schema = arrow::import_schema(schema)?;
    Ok(crucible_data::features::features_json(&schema).map_err(errors::data)?.to_string())
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    door::quiet_panics();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("build_profile", if cfg!(debug_assertions) { "debug" } else { "release" })?;
    module.add_class::<buffer::Buffer>()?;
    module.add_class::<source::Source>()?;
    module.add_class::<hub::client::HubClient>()?;
    module.add_class::<hub::request::HttpResponse>()?;
    module.add_class::<hub::request::Pages>()?;
    module.add_class::<hub::remote::RemoteFile>()?;
    module.add_class::<hub::remote::RemoteStream>()?;
    module.add_class::<hub::server::HubServer>()?;
    module.add_class::<data::table::Table>()?;
    module.add_class::<data::lazy::LazyRow>()?;
    module.add_class::<data::row_calls::Count>()?;
    module.add_class::<data::row_calls::RowCalls>()?;
    module.add_class::<data::lock::StoreLock>()?;
    module.add_class::<data::permutation::RowNumbers>()?;
    module.add_class::<data::counter::Counter>()?;
    module.add_class::<data::spill::GrowingFile>()?;
    module.add_class::<data::stream::ParquetFile>()?;
    module.add_class::<data::ahead::RowGroupAhead>()?;
    module.add_class::<data::opening::Opening>()?;
    module.add_class::<data::together::FilesAhead>()?;
    module.add_class::<data::samples::SampleReader>()?;
    module.add_class::<data::units::UnitReader>()?;
    module.add_function(wrap_pyfunction!(hub::cache::hash_files, module)?)?;
    module.add_function(wrap_pyfunction!(hub::cache::extract_archive, module)?)?;
    module.add_function(wrap_pyfunction!(hub::client::default_config, module)?)?;
    module.add_function(wrap_pyfunction!(hub::client::resolve_token, module)?)?;
    module.add_function(wrap_pyfunction!(hub::request::network_state, module)?)?;
    module.add_function(wrap_pyfunction!(features_from_arrow_schema, module)?)?;
    module.add_function(wrap_pyfunction!(limits::get_limits, module)?)?;
    module.add_function(wrap_pyfunction!(limits::set_limits, module)?)?;
    module.add_function(wrap_pyfunction!(data::merge::merge_rows, module)?)?;
    module.add_function(wrap_pyfunction!(data::permutation::permutation, module)?)?;
    module.add_function(wrap_pyfunction!(data::row_calls::true_numbers, module)?)?;
    module.add_function(wrap_pyfunction!(data::image::probe, module)?)?;
    module.add_function(wrap_pyfunction!(data::image::decode, module)?)?;
    module.add_function(wrap_pyfunction!(data::image::decode_many, module)?)?;
    module.add_function(wrap_pyfunction!(data::image::encode_png, module)?)?;
    module.add_function(wrap_pyfunction!(objects::stored::are_stored, module)?)?;
    module.add_function(wrap_pyfunction!(testing::_test_panic, module)?)?;
    module.add_function(wrap_pyfunction!(testing::_test_sleep, module)?)?;
    module.add_function(wrap_pyfunction!(testing::_test_spin, module)?)?;
    module.add_function(wrap_pyfunction!(testing::_test_engine_pid, module)?)?;
    module.add_function(wrap_pyfunction!(testing::_test_busy, module)?)?;
    Ok(())
}
