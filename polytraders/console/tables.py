"""Django's admin as this console has it: tables for reading, for who may see pages, without a log-in of its own.

Lists never count a large table: the database's own estimate says how many pages there are.
"""

from typing import TYPE_CHECKING, Any, Final, cast

from django.contrib import admin
from django.core.paginator import Paginator
from django.db import connection, models
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver, reverse
from django.utils.functional import cached_property

from polytraders.access.permissions import Permission, forbidden, may

if TYPE_CHECKING:
    Model = admin.ModelAdmin[Any]
else:
    Model = admin.ModelAdmin

PAGE: Final = 50
PAGES_MAX: Final = 200
"""A page further back would read everything before it; the console's own lists go back by cursor."""
ESTIMATE: Final = "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = to_regclass(%s)"
SMALL: Final = 10_000
"""Up to so many rows are counted; a table this small may not have been estimated yet."""


class Estimated(Paginator):  # type: ignore[type-arg]
    """Pages by the estimate; a short table is counted, and never further than to `SMALL`."""

    @cached_property
    def count(self) -> int:
        """Rows, at most as many as `PAGES_MAX` pages hold."""
        rows = cast("models.QuerySet[Any]", self.object_list)
        with connection.cursor() as cursor:
            cursor.execute(ESTIMATE, [rows.model._meta.db_table])
            found = cursor.fetchone()
        most = PAGES_MAX * int(self.per_page)
        estimate = int(found[0]) if found and found[0] is not None else 0
        return min(most, estimate) if estimate > SMALL else rows.order_by()[:most].count()


class Site(admin.AdminSite):
    """For who may see pages; it has no log-in of its own."""

    site_header = "Polytraders: tables as they are"
    site_title = "Polytraders"
    index_title = "For reading only; what changes something is done in the console"
    site_url = "/"
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        """Whether somebody may enter."""
        return may(request.user, Permission.VIEW)

    def login(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Where Django sends those who may not enter."""
        if request.user.is_authenticated:
            return forbidden(request, Permission.VIEW)
        return redirect(f"{reverse('login')}?next={reverse('admin:index')}")

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Without what changes something: a password is changed in one's account."""
        left_out = {"password_change", "password_change_done", "view_on_site"}
        return [found for found in super().get_urls() if getattr(found, "name", None) not in left_out]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """What every page of it is told."""
        return super().each_context(request) | {"has_permission": self.has_permission(request)}


site: Final = Site()


class Reading(Model):
    """A table, newest row first, that nobody changes."""

    needs = Permission.VIEW
    list_per_page = PAGE
    list_max_show_all = 0
    show_full_result_count = False
    paginator = Estimated
    ordering = ("-pk",)
    sortable_by = ()
    actions = None
    view_on_site = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may see it."""
        return may(request.user, self.needs)

    has_module_permission = has_view_permission

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """Rows here have no history of changes: nothing changes them here."""
        return redirect(reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"))
