// Shortcodes as Slack names them. Not all of Unicode: what people and operations messages use.

const TABLE = `
grinning 😀|smiley 😃|smile 😄|grin 😁|laughing 😆|satisfied 😆|sweat_smile 😅|joy 😂|rolling_on_the_floor_laughing 🤣
slightly_smiling_face 🙂|upside_down_face 🙃|wink 😉|blush 😊|innocent 😇|heart_eyes 😍|star-struck 🤩|kissing_heart 😘
yum 😋|stuck_out_tongue 😛|zany_face 🤪|hugging_face 🤗|thinking_face 🤔|zipper_mouth_face 🤐|raised_eyebrow 🤨|face_with_raised_eyebrow 🤨
neutral_face 😐|expressionless 😑|no_mouth 😶|smirk 😏|unamused 😒|face_with_rolling_eyes 🙄|grimacing 😬|relieved 😌|pensive 😔|sleepy 😪
sleeping 😴|mask 😷|face_with_thermometer 🤒|exploding_head 🤯|sunglasses 😎|nerd_face 🤓|confused 😕|worried 😟|slightly_frowning_face 🙁
open_mouth 😮|hushed 😯|astonished 😲|flushed 😳|pleading_face 🥺|fearful 😨|cold_sweat 😰|cry 😢|sob 😭|scream 😱|sweat 😓|weary 😩|tired_face 😫
triumph 😤|rage 😡|angry 😠|skull 💀|hankey 💩|poop 💩|clown_face 🤡|ghost 👻|alien 👽|space_invader 👾|robot_face 🤖|robot 🤖|see_no_evil 🙈
hear_no_evil 🙉|speak_no_evil 🙊|wave 👋|raised_hand ✋|hand ✋|ok_hand 👌|v ✌️|crossed_fingers 🤞|the_horns 🤘|call_me_hand 🤙|point_left 👈|point_right 👉
point_up_2 👆|point_down 👇|point_up ☝️|+1 👍|thumbsup 👍|-1 👎|thumbsdown 👎|fist ✊|facepunch 👊|clap 👏|raised_hands 🙌|open_hands 👐|handshake 🤝
pray 🙏|writing_hand ✍️|muscle 💪|brain 🧠|eyes 👀|eye 👁️|speaking_head_in_silhouette 🗣️|bust_in_silhouette 👤|busts_in_silhouette 👥|man-shrugging 🤷‍♂️
woman-shrugging 🤷‍♀️|shrug 🤷|face_palm 🤦|man-facepalming 🤦‍♂️|woman-facepalming 🤦‍♀️|technologist 🧑‍💻|male-technologist 👨‍💻|female-technologist 👩‍💻|detective 🕵️|construction_worker 👷|guardsman 💂|firefighter 🧑‍🚒
dog 🐶|cat 🐱|mouse 🐭|fox_face 🦊|bear 🐻|panda_face 🐼|tiger 🐯|cow 🐮|pig 🐷|frog 🐸|monkey 🐒|chicken 🐔|penguin 🐧|bird 🐦|owl 🦉|bee 🐝|bug 🐛|ladybug 🐞|ant 🐜
snail 🐌|turtle 🐢|snake 🐍|octopus 🐙|crab 🦀|whale 🐳|dolphin 🐬|elephant 🐘|unicorn_face 🦄|dragon 🐉|t-rex 🦖|gorilla 🦍|seedling 🌱|evergreen_tree 🌲|palm_tree 🌴|cactus 🌵
four_leaf_clover 🍀|maple_leaf 🍁|fallen_leaf 🍂|mushroom 🍄|rose 🌹|sunflower 🌻|apple 🍎|banana 🍌|lemon 🍋|strawberry 🍓|avocado 🥑|pizza 🍕|hamburger 🍔|taco 🌮|popcorn 🍿
doughnut 🍩|cookie 🍪|cake 🍰|birthday 🎂|coffee ☕|tea 🍵|beer 🍺|beers 🍻|wine_glass 🍷|champagne 🍾|earth_africa 🌍|earth_americas 🌎|earth_asia 🌏|globe_with_meridians 🌐
new_moon 🌑|full_moon 🌕|crescent_moon 🌙|sunny ☀️|partly_sunny ⛅|cloud ☁️|rain_cloud 🌧️|thunder_cloud_and_rain ⛈️|lightning 🌩️|snowflake ❄️|tornado 🌪️|fog 🌫️|ocean 🌊|droplet 💧
fire 🔥|boom 💥|sparkles ✨|star ⭐|star2 🌟|dizzy 💫|zap ⚡|comet ☄️|rainbow 🌈|umbrella ☔|volcano 🌋|house 🏠|office 🏢|factory 🏭|hospital 🏥|bank 🏦|tent ⛺|city_sunrise 🌇|sunrise 🌅
night_with_stars 🌃|car 🚗|taxi 🚕|bus 🚌|ambulance 🚑|fire_engine 🚒|police_car 🚓|truck 🚚|tractor 🚜|bike 🚲|airplane ✈️|rocket 🚀|flying_saucer 🛸|helicopter 🚁|boat ⛵|ship 🚢|anchor ⚓|steam_locomotive 🚂
construction 🚧|vertical_traffic_light 🚦|traffic_light 🚥|octagonal_sign 🛑|rotating_light 🚨|world_map 🗺️|watch ⌚|hourglass ⌛|hourglass_flowing_sand ⏳|alarm_clock ⏰|stopwatch ⏱️|timer_clock ⏲️
clock1 🕐|clock2 🕑|clock3 🕒|clock4 🕓|clock5 🕔|clock6 🕕|clock7 🕖|clock8 🕗|clock9 🕘|clock10 🕙|clock11 🕚|clock12 🕛|soccer ⚽|basketball 🏀|dart 🎯|video_game 🎮|game_die 🎲|chess_pawn ♟️
trophy 🏆|medal 🏅|first_place_medal 🥇|second_place_medal 🥈|third_place_medal 🥉|tada 🎉|confetti_ball 🎊|balloon 🎈|gift 🎁|christmas_tree 🎄|jack_o_lantern 🎃|ticket 🎫|art 🎨|performing_arts 🎭|microphone 🎤
headphones 🎧|musical_note 🎵|guitar 🎸|movie_camera 🎥|camera 📷|tv 📺|radio 📻|iphone 📱|phone ☎️|telephone_receiver 📞|pager 📟|battery 🔋|electric_plug 🔌|computer 💻|desktop_computer 🖥️|printer 🖨️
keyboard ⌨️|three_button_mouse 🖱️|minidisc 💽|floppy_disk 💾|cd 💿|dvd 📀|abacus 🧮|bulb 💡|flashlight 🔦|candle 🕯️|fire_extinguisher 🧯|oil_drum 🛢️|money_with_wings 💸|dollar 💵|moneybag 💰|credit_card 💳|gem 💎
scales ⚖️|toolbox 🧰|wrench 🔧|hammer 🔨|hammer_and_wrench 🛠️|pick ⛏️|nut_and_bolt 🔩|gear ⚙️|bricks 🧱|chains ⛓️|magnet 🧲|gun 🔫|bomb 💣|axe 🪓|shield 🛡️|crystal_ball 🔮|alembic ⚗️|telescope 🔭|microscope 🔬|hole 🕳️
adhesive_bandage 🩹|stethoscope 🩺|pill 💊|syringe 💉|dna 🧬|test_tube 🧪|petri_dish 🧫|thermometer 🌡️|broom 🧹|basket 🧺|roll_of_paper 🧻|soap 🧼|sponge 🧽|key 🔑|old_key 🗝️|door 🚪|bed 🛏️
lock 🔒|unlock 🔓|closed_lock_with_key 🔐|lock_with_ink_pen 🔏|mag 🔍|mag_right 🔎|label 🏷️|bookmark 🔖|link 🔗|paperclip 📎|linked_paperclips 🖇️|straight_ruler 📏|scissors ✂️|pushpin 📌|round_pushpin 📍|triangular_flag_on_post 🚩
email 📧|envelope ✉️|incoming_envelope 📨|envelope_with_arrow 📩|inbox_tray 📥|outbox_tray 📤|package 📦|mailbox 📫|postbox 📮|ballot_box_with_ballot 🗳️|pencil2 ✏️|pencil 📝|memo 📝|black_nib ✒️|lower_left_ballpoint_pen 🖊️
briefcase 💼|file_folder 📁|open_file_folder 📂|card_index_dividers 🗂️|calendar 📆|date 📅|spiral_calendar_pad 🗓️|card_index 📇|chart_with_upwards_trend 📈|chart_with_downwards_trend 📉|bar_chart 📊|clipboard 📋
page_facing_up 📄|page_with_curl 📃|bookmark_tabs 📑|newspaper 📰|scroll 📜|ledger 📒|notebook 📓|closed_book 📕|green_book 📗|blue_book 📘|orange_book 📙|books 📚|book 📖|receipt 🧾|file_cabinet 🗄️|wastebasket 🗑️|card_file_box 🗃️
satellite_antenna 📡|satellite 🛰️|bell 🔔|no_bell 🔕|mega 📣|loudspeaker 📢|speech_balloon 💬|thought_balloon 💭|left_speech_bubble 🗨️|zzz 💤|speaker 🔈|mute 🔇|sound 🔉|loud_sound 🔊|hammer_and_pick ⚒️|ladder 🪜|mirror 🪞|bubbles 🫧
heart ❤️|orange_heart 🧡|yellow_heart 💛|green_heart 💚|blue_heart 💙|purple_heart 💜|black_heart 🖤|white_heart 🤍|broken_heart 💔|heartbeat 💓|heartpulse 💗|two_hearts 💕|sparkling_heart 💖|anatomical_heart 🫀|100 💯|anger 💢
white_check_mark ✅|heavy_check_mark ✔️|ballot_box_with_check ☑️|x ❌|negative_squared_cross_mark ❎|heavy_multiplication_x ✖️|question ❓|grey_question ❔|exclamation ❗|heavy_exclamation_mark ❗|grey_exclamation ❕|bangbang ‼️|interrobang ⁉️
warning ⚠️|no_entry ⛔|no_entry_sign 🚫|radioactive_sign ☢️|biohazard_sign ☣️|children_crossing 🚸|recycle ♻️|sos 🆘|stop_sign 🛑|information_source ℹ️|ok 🆗|new 🆕|up 🆙|cool 🆒|free 🆓|ng 🆖|id 🆔|vs 🆚
red_circle 🔴|large_orange_circle 🟠|large_yellow_circle 🟡|large_green_circle 🟢|large_blue_circle 🔵|large_purple_circle 🟣|large_brown_circle 🟤|black_circle ⚫|white_circle ⚪
large_red_square 🟥|large_orange_square 🟧|large_yellow_square 🟨|large_green_square 🟩|large_blue_square 🟦|large_purple_square 🟪|black_large_square ⬛|white_large_square ⬜|black_small_square ▪️|white_small_square ▫️|black_square_button 🔲|white_square_button 🔳
small_red_triangle 🔺|small_red_triangle_down 🔻|small_orange_diamond 🔸|small_blue_diamond 🔹|large_orange_diamond 🔶|large_blue_diamond 🔷|radio_button 🔘|diamond_shape_with_a_dot_inside 💠
arrow_up ⬆️|arrow_down ⬇️|arrow_left ⬅️|arrow_right ➡️|arrow_upper_right ↗️|arrow_lower_right ↘️|arrow_upper_left ↖️|arrow_lower_left ↙️|arrow_up_down ↕️|left_right_arrow ↔️|arrow_right_hook ↪️|leftwards_arrow_with_hook ↩️
arrow_heading_up ⤴️|arrow_heading_down ⤵️|arrows_clockwise 🔃|arrows_counterclockwise 🔄|repeat 🔁|repeat_one 🔂|twisted_rightwards_arrows 🔀|fast_forward ⏩|rewind ⏪|arrow_up_small 🔼|arrow_down_small 🔽|arrow_double_up ⏫|arrow_double_down ⏬
black_right_pointing_triangle_with_double_vertical_bar ⏯️|arrow_forward ▶️|arrow_backward ◀️|double_vertical_bar ⏸️|black_square_for_stop ⏹️|black_circle_for_record ⏺️|eject ⏏️|back 🔙|end 🔚|on 🔛|soon 🔜|top 🔝|signal_strength 📶|vibration_mode 📳|mobile_phone_off 📴
zero 0️⃣|one 1️⃣|two 2️⃣|three 3️⃣|four 4️⃣|five 5️⃣|six 6️⃣|seven 7️⃣|eight 8️⃣|nine 9️⃣|keycap_ten 🔟|1234 🔢|abc 🔤|hash #️⃣|heavy_plus_sign ➕|heavy_minus_sign ➖|heavy_division_sign ➗|infinity ♾️|copyright ©️|registered ®️|tm ™️
checkered_flag 🏁|flag-white 🏳️|waving_white_flag 🏳️|waving_black_flag 🏴|pirate_flag 🏴‍☠️|rainbow-flag 🏳️‍🌈|crown 👑|tophat 🎩|helmet_with_white_cross ⛑️|mortar_board 🎓|necktie 👔|eyeglasses 👓|goggles 🥽|lab_coat 🥼|safety_vest 🦺|baby 👶|santa 🎅|ninja 🥷|zombie 🧟|genie 🧞|mage 🧙|vampire 🧛
wheel_of_dharma ☸️|ship_wheel ☸️|whale2 🐋|container 📦|placard 🪧|identification_card 🪪|melting_face 🫠|saluting_face 🫡|face_holding_back_tears 🥹|dotted_line_face 🫥|partying_face 🥳|yawning_face 🥱|hot_face 🥵|cold_face 🥶|woozy_face 🥴
`;

const EMOJI = new Map();
for (const entry of TABLE.trim().split(/[|\n]/)) {
  const [name, glyph] = entry.split(" ");
  EMOJI.set(name, glyph);
}

const SKIN = ["", "", "\u{1F3FB}", "\u{1F3FC}", "\u{1F3FD}", "\u{1F3FE}", "\u{1F3FF}"];

/** The character for a shortcode without its colons, or null for a name that is not in the table. */
export function emojiFor(name, skinTone = 0) {
  const glyph = EMOJI.get(name);
  return glyph ? glyph + (SKIN[skinTone] ?? "") : null;
}

/** Up to `limit` `{name, glyph}` whose names start with, or else contain, `part`. */
export function findEmoji(part, limit = 8) {
  const names = [...EMOJI.keys()];
  const starts = names.filter((name) => name.startsWith(part));
  const contains = names.filter((name) => !name.startsWith(part) && name.includes(part));
  return [...starts, ...contains].slice(0, limit).map((name) => ({ name, glyph: EMOJI.get(name) }));
}
