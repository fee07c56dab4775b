import pytest

from signals_app.projects import services as project_services
from signals_app.projects.models import Project


@pytest.fixture
def shop(db: None) -> Project:
    return project_services.create_project(slug="scarf-shop", name="Scarf Shop", shop_url="https://scarves.example/")
