"""
The functions of PostgreSQL 15 to 18 that a statement may call, as SQL spells them.

None reads a file, a setting, another session or the catalogs, none sleeps, locks, notifies or
runs a text as SQL (``ts_stat`` and ``ts_rewrite`` do), and none leaves a mark behind.  What is not
here is refused, so a new version's functions wait until somebody has read about them.
"""

from __future__ import annotations

_AGGREGATES = """
    count sum avg min max every bool_and bool_or bit_and bit_or bit_xor string_agg array_agg
    json_agg jsonb_agg json_object_agg jsonb_object_agg json_agg_strict jsonb_agg_strict
    json_object_agg_strict jsonb_object_agg_strict json_object_agg_unique jsonb_object_agg_unique
    json_object_agg_unique_strict jsonb_object_agg_unique_strict json_arrayagg json_objectagg
    range_agg range_intersect_agg any_value corr covar_pop covar_samp regr_avgx regr_avgy
    regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy stddev stddev_pop
    stddev_samp variance var_pop var_samp mode percentile_cont percentile_disc grouping
"""
_WINDOWS = """
    row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value
    nth_value
"""
_CONDITIONS = """
    coalesce nullif greatest least num_nulls num_nonnulls pg_typeof enum_first enum_last enum_range
"""
_TEXTS = """
    ascii bit_count bit_length btrim casefold char_length character_length chr concat concat_ws
    convert convert_from convert_to crc32 crc32c decode encode format get_bit get_byte initcap
    is_normalized left length lower lpad ltrim md5 normalize octet_length overlay parse_ident
    position quote_ident quote_literal quote_nullable regexp_count regexp_instr regexp_like
    regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table
    regexp_substr repeat replace reverse right rpad rtrim set_bit set_byte sha224 sha256 sha384
    sha512 split_part starts_with string_to_array string_to_table strpos substr substring to_ascii
    to_bin to_char to_hex to_number to_oct translate trim unicode_assigned unistr upper text
    varchar bpchar
"""
_NUMBERS = """
    abs acos acosd acosh asin asind asinh atan atan2 atan2d atand atanh cbrt ceil ceiling cos cosd
    cosh cot cotd degrees div erf erfc exp factorial floor gamma gcd lcm lgamma ln log log10
    min_scale mod pi pow power radians random random_normal round scale sign sin sind sinh sqrt
    tan tand tanh trim_scale trunc width_bucket int2 int4 int8 float4 float8 numeric bool
    gen_random_uuid uuidv4 uuidv7 uuid_extract_timestamp uuid_extract_version
"""
_DATES = """
    age clock_timestamp date date_add date_bin date_part date_subtract date_trunc extract isfinite
    justify_days justify_hours justify_interval make_date make_interval make_time make_timestamp
    make_timestamptz now overlaps statement_timestamp time timeofday timestamp timestamptz timetz
    timezone to_date to_timestamp transaction_timestamp interval current_time current_timestamp
    localtime localtimestamp
"""
_ARRAYS = """
    array_append array_cat array_dims array_fill array_length array_lower array_ndims
    array_position array_positions array_prepend array_remove array_replace array_reverse
    array_sample array_shuffle array_sort array_to_json array_to_string array_to_tsvector
    array_upper cardinality trim_array unnest generate_series generate_subscripts
"""
_RANGES = """
    isempty lower_inc lower_inf upper_inc upper_inf range_merge multirange int4range int8range
    numrange daterange tsrange tstzrange int4multirange int8multirange nummultirange
    datemultirange tsmultirange tstzmultirange
"""
_JSON = """
    json json_array json_array_elements json_array_elements_text json_array_length
    json_build_array json_build_object json_each json_each_text json_exists json_extract_path
    json_extract_path_text json_object json_object_keys json_populate_record
    json_populate_recordset json_query json_scalar json_serialize json_strip_nulls json_table
    json_to_record json_to_recordset json_typeof json_value jsonb_array_elements
    jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each
    jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object
    jsonb_object_keys jsonb_path_exists jsonb_path_exists_tz jsonb_path_match jsonb_path_match_tz
    jsonb_path_query jsonb_path_query_array jsonb_path_query_array_tz jsonb_path_query_first
    jsonb_path_query_first_tz jsonb_path_query_tz jsonb_populate_record jsonb_populate_recordset
    jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_to_record jsonb_to_recordset
    jsonb_typeof row_to_json to_json to_jsonb
"""
_SEARCH = """
    json_to_tsvector jsonb_to_tsvector numnode phraseto_tsquery plainto_tsquery querytree
    setweight strip to_tsquery to_tsvector ts_delete ts_filter ts_headline ts_rank ts_rank_cd
    tsquery_phrase tsvector_to_array websearch_to_tsquery
"""
_SHAPES = """
    abbrev broadcast family host hostmask inet_merge inet_same_family masklen netmask network
    set_masklen area box center circle diagonal diameter height isclosed isopen line lseg npoints
    path point polygon radius slope width
"""

AGGREGATES = frozenset(_AGGREGATES.split())
FUNCTIONS = AGGREGATES | frozenset(
    " ".join(
        (_WINDOWS, _CONDITIONS, _TEXTS, _NUMBERS, _DATES, _ARRAYS, _RANGES, _JSON, _SEARCH, _SHAPES)
    ).split()
)
"""Names in lower case.  A call with a schema is allowed for ``pg_catalog`` only."""
