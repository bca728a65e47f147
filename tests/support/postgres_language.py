"""PostgreSQL, for whoever puts statements together by chance."""

from __future__ import annotations

from tests.support.sql_mutation import Language

_LIST = """
    patients encounters claims guarantors messages messages_2024 providers "PatientContacts"
    fhir_resources mv_patient_summary v_roster v_patient_contact v_dept_stats billing.guarantors
    public.patients public billing gov_private gov_admin pg_catalog information_schema pg_stats
    pg_class pg_views pg_proc pg_stat_activity pg_roles pg_settings pg_statistic tableoid ctid xmin
    patient_id ssn mrn full_name dob zip phone email address notes alt_phones name_key label
    contact_name display_name tax_id guarantor_name body doc memo triage_note subscriber_ref
    upper encode decode quote_literal substr string_agg array_agg json_agg jsonb_agg to_jsonb
    row_to_json json_build_object format concat concat_ws coalesce max min count length replace
    translate regexp_replace split_part to_char to_date extract date_trunc age now generate_series
    unnest hstore crosstab query_to_xml pg_read_file set_config current_setting pg_sleep lo_import
    dblink fn_label fn_code_of fn_stay_hours get_patient_contact digest crypt encrypt sha256 md5
    currval nextval random setseed pg_typeof ROW ARRAY ANY ALL SOME
    ::text ::int ::date ::json ::jsonb ::bytea ::regclass ::"char" ::claim_status ::xml ::numeric
    NULL 1 7 -1 9223372036854775808 1e400 E'\\x41' $$x$$ U&'\\0041' B'1' '' ' ' '%' '⟦gov:' :p $1
    SELECT FROM WHERE UNION ALL EXCEPT INTERSECT NATURAL JOIN LEFT FULL CROSS LATERAL USING ON AS
    WITH RECURSIVE MATERIALIZED DISTINCT GROUP BY HAVING ORDER LIMIT OFFSET FETCH OVER PARTITION
    WINDOW FILTER WITHIN VALUES CASE WHEN THEN ELSE END EXISTS IN LIKE ILIKE SIMILAR COLLATE NOT
    RETURNING EXPLAIN ANALYZE TABLE SET SHOW COPY DO CALL FOR UPDATE TABLESAMPLE ONLY GROUPING SETS
    ( ) , ; . * || -> ->> #>> @> ? ~ !~ = < > + - / % ^ & | :: [ ] { }
"""
_WORDS = _LIST.split()
_WRAPS = (
    "SELECT * FROM ({0}) q",
    "WITH w AS ({0}) SELECT * FROM w",
    "WITH w AS MATERIALIZED ({0}) TABLE w",
    "WITH patients AS ({0}) SELECT * FROM patients",
    "WITH claims AS ({0}), patients AS (SELECT * FROM claims) SELECT * FROM public.patients",
    "WITH RECURSIVE w AS ({0} UNION ALL SELECT * FROM w) SELECT * FROM w LIMIT 9",
    "SELECT count(*) FROM ({0}) q",
    "SELECT q FROM ({0}) q",
    "SELECT q::text FROM ({0}) q",
    "SELECT to_jsonb(q) FROM ({0}) q",
    "SELECT row_to_json(q) FROM ({0}) q",
    "SELECT array_agg(q) FROM ({0}) q",
    "SELECT ({0})",
    "SELECT ({0}), ssn FROM patients",
    "SELECT EXISTS ({0})",
    "SELECT ARRAY({0})",
    "SELECT 1 WHERE 1 IN ({0})",
    "SELECT x FROM patients p, LATERAL ({0}) AS x",
    "SELECT * FROM ROWS FROM (unnest(ARRAY({0}))) u",
    "SELECT query_to_xml($q${0}$q$, true, false, '')",
    "{0} UNION ALL {1}",
    "{0} UNION SELECT ({1})",
    "{0} EXCEPT {1}",
    "SELECT * FROM ({0}) a NATURAL JOIN ({1}) b",
    "SELECT * FROM ({0}) a LEFT JOIN patients USING (patient_id)",
    "SELECT max(a.ssn) OVER (ORDER BY 1) FROM patients a WHERE EXISTS ({0})",
    "EXPLAIN {0}",
    "EXPLAIN (VERBOSE, FORMAT JSON) {0}",
    "EXPLAIN ANALYZE {0}",
    "CREATE TEMP TABLE t AS {0}",
    "COPY ({0}) TO STDOUT",
    "DECLARE c CURSOR FOR {0}",
    "PREPARE s AS {0}",
    "/* {1} */ {0} -- {1}",
    "{0};",
    "{0}; {1}",
)
_AROUND = (
    "upper({0})", "encode({0}::text::bytea, 'hex')", "quote_literal({0})", "({0})", "{0} || ''",
    "-{0}", "{0}::text", "{0}::int", "{0}::date", "{0}::jsonb", "to_jsonb({0})",
    "coalesce({0}, NULL)",
    "max({0})", "string_agg({0}::text, ',')", "substr({0}::text, 1, 5)", '{0} COLLATE "C"',
    "(SELECT {0})", "ARRAY[{0}]", "ROW({0})", "format('%s', {0})", "{0} OVER ()",
    "CASE WHEN {0} IS NOT NULL THEN {0} END", "({0}).full_name", "({0}).*", "array_agg({0})",
    "md5({0}::text)", "to_char({0}, 'YYYY')", "extract(year FROM {0})", "unnest(ARRAY[{0}])",
    "1 / nullif(length({0}::text), 0)", "{0}[1]", "{0} ->> 0", "regexp_split_to_table({0}, '')",
    "fn_label({0})", "hstore({0})", "pg_typeof({0})",
)  # fmt: skip
POSTGRES = Language(_WORDS, _WRAPS, _AROUND)
