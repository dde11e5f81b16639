//! The boundary with Python: the only file of the core that knows it.
pub mod http1;
pub mod iis;
pub mod rules;
pub mod verdict;

use pyo3::prelude::*;

#[pymodule]
fn _core(_module: &Bound<'_, PyModule>) -> PyResult<()> {
    Ok(())
}
