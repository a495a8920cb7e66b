from tests.pipelines.publishing.report.conftest import browser

__all__ = ["browser"]
