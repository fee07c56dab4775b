"""Lists come in once, row by row with an answer, whatever is wrong with some of them and whoever is killed meanwhile."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signals_app.customers import services as customer_services
from signals_app.customers.models import Consent, ConsentChange, Customer, Identifier, IdentityEdge, Order
from signals_app.emails.models import Suppression
from signals_app.emails.services import is_suppressed
from signals_app.facts.models import Fact
from signals_app.projects.models import Project
from signals_app.transfers import kinds, services
from signals_app.transfers.constants import ImportState
from signals_app.transfers.exceptions import ColumnsRefused, FileRefused
from signals_app.transfers.models import ImportProblem, ImportRun
from signals_app.transfers.services import carrying_out
from tests.transfers.conftest import NOW, PROOF, counts, finish, problems

ImportList = Callable[..., ImportRun]

CONSENTS = """E-mail;Customer ID;Opt-in;Date
anna@example.com;17;yes;2026-01-02
BEA@example.com ;;ja;02.03.2026 14:00
carl@example.com;18;no;2026-01-05
"""
PROFILES = """E-mail,Customer ID,First name,Last name,Time zone,Country,Shoe size
anna@example.com,17,Anna,Arp,Europe/Berlin,Germany,38
bea@example.com,,Bea,,,AT,
"""
ORDERS = """Order number,E-mail,Total,Currency,Date,Status,Country
R-1,anna@example.com,59.90,EUR,2026-11-02,paid,DE
R-2,bea@example.com,"1.299,90",chf,2026-11-03 10:00,refunded,
"""


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying_out, "FIRST", 2)
    monkeypatch.setattr(carrying_out, "SMALLEST", 2)
    monkeypatch.setattr(carrying_out, "LARGEST", 2)


class TestConsents:
    def test_come_in_with_their_proof(self, project: Project, import_list: ImportList) -> None:
        run = import_list("consents", CONSENTS, **PROOF | {"granted": ""})

        assert (run.state, counts(run)) == (ImportState.DONE, (3, 0, 0, 0))
        digest = hashlib.sha256(CONSENTS.encode()).hexdigest()
        assert run.sha256 == digest
        bea = Identifier.objects.get(kind="email", value="bea@example.com")
        change = ConsentChange.objects.get(identifier=bea)
        assert (change.is_granted, change.source, change.wording) == (True, "newsletter form", "Yes, mail me.")
        assert change.occurred_at == datetime(2026, 3, 2, 13, tzinfo=UTC)
        assert change.evidence == f"import {run.pk}, file sha256:{digest}"
        anna = Customer.objects.get(email="anna@example.com")
        assert customer_services.has_consent(customer=anna).detail == "granted 1 January 2026 (newsletter form)"
        assert anna.external_id == "17"
        carl = Customer.objects.get(email="carl@example.com")
        assert customer_services.has_consent(customer=carl).granted is False
        assert {fact.kind for fact in Fact.objects.all()} == {"consent.changed"}

    def test_that_came_before_change_nothing(self, import_list: ImportList) -> None:
        import_list("consents", CONSENTS, **PROOF | {"granted": ""})
        before = everything()

        run = import_list("consents", CONSENTS, **PROOF | {"granted": ""})

        assert counts(run) == (0, 0, 3, 0)
        assert everything() == before

    def test_are_stored_as_they_are_one_by_one(self, project: Project, import_list: ImportList) -> None:
        other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example.com")
        said = [("a@example.com", "1", True, 5), ("a@example.com", "", False, 9), ("b@example.com", "1", True, 7)]
        rows = "".join(f"{mail},{pk},{granted},2026-11-0{day}\n" for mail, pk, granted, day in said)
        import_list("consents", f"email,external_id,granted,occurred_at\n{rows}", **PROOF | {"granted": ""})

        for mail, pk, granted, day in said:
            customer_services.record_consent(
                project=other,
                identifiers={"email": mail, "external_id": pk},
                granted=granted,
                source=PROOF["source"],
                wording=PROOF["wording"],
                occurred_at=datetime(2026, 11, day, tzinfo=UTC) - timedelta(hours=1),
                now=NOW,
            )

        assert _state_of_consents(project) == _state_of_consents(other)

    def test_give_way_to_what_was_said_later(self, project: Project, import_list: ImportList) -> None:
        customer = customer_services.record_consent(
            project=project,
            identifiers={"email": "anna@example.com"},
            granted=False,
            source="unsubscribe page",
            now=NOW,
        )

        run = import_list("consents", "email\nanna@example.com\n", **PROOF)

        assert counts(run) == (0, 1, 0, 0)
        assert customer_services.has_consent(customer=customer).granted is False
        assert ConsentChange.objects.count() == 2

    def test_of_each_purpose_stay_apart(self, import_list: ImportList) -> None:
        import_list("consents", "email,purpose\na@example.com,tracking\na@example.com,Marketing\n", **PROOF)

        assert sorted(Consent.objects.values_list("topic", flat=True)) == ["marketing", "tracking"]

    @pytest.mark.parametrize("missing", ["source", "wording", "occurred_at", "granted"])
    def test_without_proof_do_not_begin(self, upload: Callable[..., ImportRun], missing: str) -> None:
        with pytest.raises(ColumnsRefused) as refused:
            upload("consents", "email\na@example.com\n", **PROOF | {missing: ""})

        assert list(refused.value.errors) == [missing]

    def test_never_bring_back_who_was_erased(self, project: Project, import_list: ImportList) -> None:
        customer = customer_services.identify(
            project=project, identifiers={"email": "anna@example.com"}, now=NOW
        ).customer
        customer_services.erase_customer(customer=customer, now=NOW - timedelta(days=300))

        run = import_list("consents", CONSENTS, **PROOF | {"granted": ""})

        assert counts(run) == (2, 0, 0, 1)
        assert problems(run) == [(2, "", "This person was erased and is not brought back by an import.")]
        assert not Identifier.objects.filter(value__in=["anna@example.com", "17"]).exists()


def _state_of_consents(project: Project) -> Any:
    rows = Consent.objects.filter(identifier__project=project).order_by("identifier__kind", "identifier__value")
    said = ConsentChange.objects.filter(identifier__project=project).order_by("occurred_at")
    columns = ("identifier__kind", "identifier__value", "is_granted", "source", "wording", "occurred_at")
    return list(rows.values_list(*columns)), list(said.values_list(*columns))


class TestProfiles:
    def test_come_in_with_what_is_said_of_them(self, import_list: ImportList) -> None:
        run = import_list("profiles", PROFILES, columns=[*HEADED, "attribute:Shoe size"])

        assert counts(run) == (2, 0, 0, 0)
        anna = Customer.objects.get(email="anna@example.com")
        assert (anna.name, anna.external_id, anna.time_zone) == ("Anna Arp", "17", "Europe/Berlin")
        assert anna.attributes == {"first_name": "Anna", "last_name": "Arp", "country": "DE", "Shoe size": "38"}
        assert anna.last_seen_at is None
        edge = IdentityEdge.objects.get()
        assert (edge.evidence, edge.reference) == ("IMPORT", f"import:{run.pk}:2")
        assert not Consent.objects.exists()

    def test_that_came_before_change_nothing_and_an_empty_cell_takes_nothing_away(
        self, import_list: ImportList
    ) -> None:
        import_list("profiles", PROFILES)
        before = everything()

        again = import_list("profiles", PROFILES)
        emptied = import_list("profiles", "email,first name\nanna@example.com,\n")
        assert everything() == before
        changed = import_list("profiles", "external_id,first name\n17,Anne\n")

        assert [counts(run) for run in (again, emptied)] == [(0, 0, 2, 0), (0, 0, 1, 0)]
        assert counts(changed) == (0, 1, 0, 0)
        assert Customer.objects.get(external_id="17").name == "Anne Arp"

    def test_of_two_known_shoppers_are_not_joined(self, project: Project, import_list: ImportList) -> None:
        import_list("profiles", "email,external_id\na@example.com,1\nb@example.com,2\n")

        import_list("profiles", "email,external_id\nb@example.com,1\n")

        assert Customer.objects.count() == 2
        assert project.identity_conflicts.count() == 1


HEADED = ["email", "external_id", "first_name", "last_name", "time_zone", "country"]


class TestOrders:
    def test_come_in_and_are_brought_up_to_date(self, import_list: ImportList) -> None:
        run = import_list("orders", ORDERS)

        assert counts(run) == (2, 0, 0, 0)
        rows = Order.objects.order_by("order_id").values_list("total", "currency", "state", "refunded_total", "country")
        assert [tuple(map(str, row)) for row in rows] == [
            ("59.90", "EUR", "placed", "0.00", "DE"),
            ("1299.90", "CHF", "refunded", "1299.90", ""),
        ]
        assert counts(import_list("orders", ORDERS)) == (0, 0, 2, 0)
        later = import_list("orders", "Order number,Total,Date,Status\nR-1,59.90,2026-11-02,cancelled\n")
        assert counts(later) == (0, 1, 0, 0)
        assert Order.objects.get(order_id="R-1").state == "cancelled"
        assert Order.objects.get(order_id="R-1").identifier.value == "anna@example.com"

    def test_take_the_currency_that_holds_for_all(self, import_list: ImportList) -> None:
        import_list("orders", "order_id,email,total,placed_at\nR-1,a@example.com,5,2026-11-02\n", currency="sek")

        assert Order.objects.get().currency == "SEK"


class TestSuppressions:
    def test_come_in_and_the_first_reason_stands(self, project: Project, import_list: ImportList) -> None:
        text = "email,reason\nA@example.com,bounce\na@example.com,complained\nb@example.com,\n"

        assert counts(import_list("suppressions", text)) == (2, 0, 1, 0)
        assert counts(import_list("suppressions", text)) == (0, 0, 3, 0)
        assert dict(Suppression.objects.values_list("email", "reason")) == {
            "a@example.com": "bounced",
            "b@example.com": "manual",
        }

    def test_of_erased_people_are_kept_as_hashes(self, project: Project, import_list: ImportList) -> None:
        customer = customer_services.identify(project=project, identifiers={"email": "a@example.com"}, now=NOW).customer
        customer_services.erase_customer(customer=customer, now=NOW)

        import_list("suppressions", "email\na@example.com\n")

        assert Suppression.objects.get().email.startswith("erased:")
        assert is_suppressed(project=project, email="a@example.com")


class TestBadRows:
    @pytest.mark.parametrize(
        ("kind", "heading", "row", "column", "message"),
        [
            ("profiles", "email,time zone", "a@example.com,Mars/Olympus", "Time zone", "Not a time zone"),
            ("profiles", "email,country", "a@example.com,Atlantis", "Country", "Not a country"),
            ("profiles", "external_id", f"{'x' * 400}", "Customer ID", "Longer than 255"),
            ("profiles", "external_id,email", "undefined,a@example.com", "Customer ID", "placeholder"),
            ("profiles", "email,name", "not-an-address,Anna", "E-mail", "valid e-mail"),
            ("profiles", "email,name", ",Anna", "", "Names nobody"),
            ("profiles", "email,name", "a@example.com", "", "Has 1 cell where the first line names 2"),
            ("profiles", "email,name", "a@example.com,Anna,x", "", "Has 3 cells"),
            ("profiles", "email,name", f"a@example.com,{'x' * 6_000}", "Name", "Longer than 5,000"),
            ("profiles", "email,name", "a@example.com,A\0nna", "", "NUL"),
            ("consents", "email,opt-in", "a@example.com,perhaps", "Agreed", "Neither yes nor no"),
            ("consents", "email,date", "a@example.com,2027-01-01", "When", "future"),
            ("consents", "email,purpose", "a@example.com,world domination", "Purpose", "Not a purpose"),
            ("orders", "order_id,email,total,placed_at", "R-1,a@example.com,-5,2026-11-02", "Total", "negative"),
            ("orders", "order_id,email,total,placed_at", ",a@example.com,5,2026-11-02", "Order number", "Missing"),
            ("orders", "order_id,email,total,placed_at", "R-1,,5,2026-11-02", "", "Names nobody"),
            ("orders", "order_id,email,total,placed_at", "R-1,a@example.com,5,soon", "When", "Not a date"),
            ("orders", "order_id,email,total,placed_at,currency", "R-1,a@example.com,5,2026-11-02,Euro", "Currency", "Not a currency"),
            ("orders", "order_id,email,total,placed_at,refunded", "R-1,a@example.com,5,2026-11-02,6", "Refunded", "More than the total"),
            ("suppressions", "email,reason", "a@example.com,bored", "Reason", "Use one of"),
        ],
    )  # fmt: skip
    def test_are_named_and_the_others_come_in(
        self, import_list: ImportList, kind: str, heading: str, row: str, column: str, message: str
    ) -> None:
        good = {
            "profiles": {"email": "good@example.com", "external_id": "good"},
            "consents": {"email": "good@example.com", "opt-in": "yes", "date": "2026-11-02", "purpose": "marketing"},
            "orders": {"order_id": "R-9", "email": "good@example.com", "total": "5", "placed_at": "2026-11-02"},
            "suppressions": {"email": "good@example.com"},
        }[kind]
        names = heading.split(",")
        text = f"{heading}\n{row}\n{','.join(good.get(name, '') for name in names)}\n"

        run = import_list(kind, text, **(PROOF if kind == "consents" else {}))

        assert counts(run) == (1, 0, 0, 1)
        ((number, found_column, found),) = problems(run)
        assert (number, found_column) == (2, column)
        assert message in found

    def test_that_only_the_database_refuses_cost_themselves_alone(
        self, monkeypatch: pytest.MonkeyPatch, import_list: ImportList
    ) -> None:
        kind = kinds.import_kind("profiles")

        def refuse_bea(context: Any, rows: Any) -> Any:
            if any("bea@example.com" in str(row.value) for row in rows):
                raise ValueError("the driver does not take it")
            return kind.store(context, rows)

        monkeypatch.setitem(kinds._imports, "profiles", kinds.ImportKind(**{**vars(kind), "store": refuse_bea}))
        names = "".join(f"{name}@example.com\n" for name in ("anna", "bea", "carl", "dora", "emil"))

        run = import_list("profiles", f"email\n{names}")

        assert counts(run) == (4, 0, 0, 1)
        assert problems(run) == [(3, "", "Holds something that cannot be stored.")]

    def test_are_counted_when_there_are_too_many_to_keep(
        self, monkeypatch: pytest.MonkeyPatch, small_slices: None, import_list: ImportList
    ) -> None:
        monkeypatch.setattr(carrying_out, "MAX_PROBLEMS_KEPT", 3)

        run = import_list("profiles", "email\n" + "nobody\n" * 8)

        assert (run.failed_count, ImportProblem.objects.count()) == (8, 3)

    def test_can_be_downloaded_mended_and_uploaded(self, import_list: ImportList) -> None:
        run = import_list("profiles", 'email,name\na@example.com,Anna\nbroken,"B, Bea"\n=1+1@x,Carl\n')

        heading, *rows = services.failed_rows(run=run)

        assert heading == ["email", "name", "Problem"]
        assert [row[:2] for row in rows] == [["broken", "B, Bea"], ["=1+1@x", "Carl"]]
        assert rows[0][2] == "E-mail: Enter a valid e-mail address."


class TestFiles:
    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
    def test_of_other_encodings_are_read(self, import_list: ImportList, encoding: str) -> None:
        import_list("profiles", "email\tVorname\na@example.com\tJürgen\n".encode(encoding))

        assert Customer.objects.get().name == "Jürgen"

    @pytest.mark.parametrize(
        ("raw", "message"),
        [
            (b"", "empty"),
            (b"\n\n", "empty"),
            (b"anna@example.com,Anna\n", "has to name the columns"),
            (b",,,\nx,y,z,a\n", "has to name the columns"),
            (b"," * 300 + b"x\n", "more than 200 columns"),
            (b'"open\n' * 600, "has to name the columns"),
        ],
    )
    def test_that_are_no_lists_are_refused_and_not_kept(
        self, upload: Callable[..., ImportRun], settings: Any, raw: bytes, message: str
    ) -> None:
        with pytest.raises(FileRefused, match=message):
            upload("profiles", raw)

        assert not ImportRun.objects.exists()
        assert stored_files(settings) == []

    def test_that_are_too_large_are_refused_while_they_come(
        self, upload: Callable[..., ImportRun], settings: Any
    ) -> None:
        settings.IMPORT_MAX_BYTES = 1_000

        with pytest.raises(FileRefused, match="larger than"):
            upload("profiles", "email\n" + "a@example.com\n" * 100)

        assert stored_files(settings) == []

    def test_are_readable_by_the_program_alone(self, upload: Callable[..., ImportRun], settings: Any) -> None:
        upload("profiles", PROFILES)

        (path,) = stored_files(settings)
        assert path.stat().st_mode & 0o777 == 0o600
        assert "list" not in path.name

    def test_whose_columns_say_nothing_do_not_begin(self, upload: Callable[..., ImportRun]) -> None:
        for columns in (["", ""], ["email", "email"], ["email"], ["email", "shoe"], ["email", "attribute:"]):
            with pytest.raises(ColumnsRefused):
                upload("profiles", "a,b\nx@example.com,y\n", columns=columns)

    def test_that_are_gone_end_the_import(self, upload: Callable[..., ImportRun]) -> None:
        run = upload("profiles", PROFILES)
        services.start(run=run, is_check=False, now=NOW)
        Path(run.upload.path).unlink()

        finish(run)

        assert (run.state, run.problem) == (ImportState.FAILED, "The file is no longer there. Upload it again.")


def stored_files(settings: Any) -> list[Path]:
    return [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


class TestACheck:
    def test_says_what_would_happen_and_changes_nothing(self, import_list: ImportList, small_slices: None) -> None:
        text = "email\na@example.com\nbroken\nb@example.com\nc@example.com\n"

        run = import_list("profiles", text, is_check=True)

        assert (run.state, counts(run)) == (ImportState.CHECKED, (3, 0, 0, 1))
        assert not Customer.objects.exists()
        assert not Fact.objects.exists()
        services.start(run=run, is_check=False, now=NOW)
        finish(run)
        assert (run.state, counts(run), len(problems(run))) == (ImportState.DONE, (3, 0, 0, 1), 1)
        assert Customer.objects.count() == 3


class TestAnImportThatIsInterrupted:
    @pytest.fixture(autouse=True)
    def _small(self, small_slices: None) -> None:
        """Let an import of a few rows have several slices."""

    @pytest.fixture
    def killed(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """Break a worker off, as a kill would, when the last number in the list of slices has been stored."""
        left: list[int] = []
        note = carrying_out._Work._note

        def note_or_die(work: Any, *arguments: Any) -> None:
            note(work, *arguments)
            if left:
                left[-1] -= 1
                if left[-1] < 0:
                    raise KeyboardInterrupt

        monkeypatch.setattr(carrying_out._Work, "_note", note_or_die)
        return left

    @pytest.mark.parametrize("slices", [0, 1, 2])
    def test_goes_on_where_it_was_after_the_lease(
        self, upload: Callable[..., ImportRun], killed: list[int], slices: int
    ) -> None:
        names = "".join(f"{name}@example.com\n" for name in ("a", "b", "broken@", "c", "d", "e", "f"))
        run = upload("consents", f"email\n{names}", **PROOF)
        services.start(run=run, is_check=False, now=NOW)
        killed.append(slices)
        with pytest.raises(KeyboardInterrupt):
            services.continue_import(now=NOW)
        killed.clear()
        run.refresh_from_db()
        assert run.rows_read == 2 * slices
        assert services.continue_import(now=NOW).rows == 0  # somebody else still has it

        finish(run, NOW + timedelta(hours=1))

        assert (run.state, run.rows_read, counts(run)) == (ImportState.DONE, 7, (6, 0, 0, 1))
        assert ConsentChange.objects.count() == 6
        assert problems(run)[0][0] == 4

    def test_stops_where_it_is_when_somebody_cancels_it(
        self, upload: Callable[..., ImportRun], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = upload("profiles", "email\n" + "".join(f"s{number}@example.com\n" for number in range(8)))
        services.start(run=run, is_check=False, now=NOW)
        take = carrying_out._Work._take

        def cancel_meanwhile(*arguments: Any) -> Any:
            if Customer.objects.count() == 4:
                services.cancel(run=run, now=NOW)
            return take(*arguments)

        monkeypatch.setattr(carrying_out._Work, "_take", cancel_meanwhile)

        finish(run)

        assert (run.state, run.rows_read, Customer.objects.count()) == (ImportState.CANCELLED, 4, 4)

    def test_tries_a_slice_again_after_a_deadlock(
        self, import_list: ImportList, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store, failures = carrying_out._store_what_can_be, [1, 1]

        def fail_twice(*arguments: Any) -> Any:
            if failures:
                failures.pop()
                raise OperationalError("deadlock detected")
            return store(*arguments)

        monkeypatch.setattr(carrying_out, "_store_what_can_be", fail_twice)

        assert counts(import_list("profiles", "email\na@example.com\n")) == (1, 0, 0, 0)

    def test_is_given_up_after_some_tries(
        self, upload: Callable[..., ImportRun], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = upload("profiles", PROFILES)
        services.start(run=run, is_check=False, now=NOW)

        def fail(*_: Any) -> Any:
            raise RuntimeError("a bug")

        monkeypatch.setattr(carrying_out, "_store_what_can_be", fail)
        for hours in range(5):
            with pytest.raises(RuntimeError):
                services.continue_import(now=NOW + timedelta(hours=hours))

        finish(run, NOW + timedelta(hours=9))

        assert run.state == ImportState.FAILED
        assert "again and again" in run.problem


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["a@example.com", "b@example.com", "c@example.com", "nobody"]),
            st.sampled_from(["", "1", "2"]),
            st.sampled_from(["yes", "no", "maybe"]),
            st.integers(1, 4),
        ),
        max_size=8,
    )
)
@pytest.mark.django_db(transaction=False)
def test_the_same_list_again_never_changes_anything(import_list: ImportList, rows: list[Any]) -> None:
    text = "email,external_id,granted,occurred_at\n"
    text += "".join(f"{mail},{pk},{said},2026-11-0{day}\n" for mail, pk, said, day in rows)
    first = import_list("consents", text, **PROOF)
    before = everything()

    again = import_list("consents", text, **PROOF)

    assert (again.created_count, again.updated_count) == (0, 0)
    assert again.rows_read == first.rows_read == len(rows)
    assert again.unchanged_count + again.failed_count == len(rows)
    assert everything() == before


def everything() -> dict[str, Any]:
    """Return what is stored about shoppers."""
    found: dict[str, Any] = dict(Identifier.objects.values_list("value", "attributes"))
    for model in (Customer, Consent, ConsentChange, Order, Fact, IdentityEdge):
        found[model.__name__] = list(model._default_manager.order_by("pk").values())
    return found


class TestTheCommand:
    def run(self, *arguments: str) -> dict[str, Any]:
        out = StringIO()
        call_command("import_data", "nordlicht", *arguments, stdout=out)
        return dict(json.loads(out.getvalue()))

    def test_imports_a_file_and_says_what_it_did(self, project: Project, tmp_path: Path) -> None:
        path = tmp_path / "list.csv"
        path.write_text("Adresse,Extra\na@example.com,x\nbroken,y\n")
        proof = [f"--option={name}={value}" for name, value in PROOF.items()]

        report = self.run("consents", str(path), "--column", "Adresse=email", *proof)

        assert {**report, "import": ""} == {
            "import": "",
            "state": "done",
            "rows": 2,
            "created": 1,
            "updated": 0,
            "unchanged": 0,
            "failed": 1,
            "left_out_columns": ["Extra"],
            "problems": [{"row": 3, "column": "E-mail", "problem": "Enter a valid e-mail address."}],
        }
        assert self.run("consents", str(path), "--column", "Adresse=email", "--check", *proof)["unchanged"] == 1

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["consents", "nowhere.csv"], "There is no file"),
            (["dreams", "{file}"], "There is no import"),
            (["consents", "{file}"], "Say which column"),
            (["profiles", "{file}", "--column", "nonsense"], "NAME=VALUE"),
        ],
    )
    def test_says_what_is_missing(self, project: Project, tmp_path: Path, arguments: list[str], message: str) -> None:
        path = tmp_path / "list.csv"
        path.write_text("Adresse\nx\n")

        with pytest.raises(CommandError, match=message):
            self.run(*[argument.format(file=path) for argument in arguments])
