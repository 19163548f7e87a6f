"""The demo's phrases in Indonesian."""
# ruff: noqa: E501 - a phrase is read best on one line

from zantara_exp.dataset.demo.phrases import Phrases, Topic

# fmt: off
INDONESIAN = Phrases(
    names=(
        "Wayan", "Made", "Komang", "Ketut", "Putu", "Dewi", "Agus", "Sari", "Budi", "Rina",
        "Gede", "Ayu", "Kadek", "Nyoman", "Indra", "Lestari", "Bayu", "Ratna", "Dian", "Yoga",
    ),
    hello={
        "morning": ("Selamat pagi", "Halo, selamat pagi", "Pagi", "Selamat pagi ZANTARA", "Selamat pagi semua"),
        "day": ("Halo", "Hai", "Halo ZANTARA", "Selamat siang", "Om swastiastu", "Permisi, selamat siang"),
        "evening": ("Selamat malam", "Halo, selamat malam", "Selamat sore", "Selamat malam ZANTARA", "Malam semua"),
    },
    welcome={
        "morning": "Selamat pagi dan selamat datang! Matahari di Bali sudah tinggi.",
        "day": "Halo, senang mendengar kabar Anda! Hari di Bali berjalan pelan.",
        "evening": "Selamat malam dan selamat datang! Lampu pertama di Bali mulai menyala.",
    },
    intros=(
        "saya {name} dari {city}", "nama saya {name}, asal {city}", "ini {name}, menulis dari {city}",
        "perkenalkan, {name} dari {city}", "saya {name}, orang {city}", "dengan {name} dari {city}",
        "saya {name} dan tinggal di {city}", "{name} di sini, dari {city}",
    ),
    greeting_ends=(
        "apa kabar hari ini?", "senang berkenalan!", "ada orang di sana?", "bagaimana kabarnya?", "semua baik?",
        "salam untuk semua!", "apa kabar semua?", "semoga sehat selalu", "saya sudah di sini!", "semoga harimu indah",
        "senang bisa menyapa", "salam hangat",
    ),
    towns={
        "Jakarta": "Dari Jakarta ke Bali rasanya seperti bernapas lebih dalam.",
        "Surabaya": "Orang Surabaya pasti cepat akrab dengan sambal di sini.",
        "Bandung": "Bandung punya udara sejuk, Kintamani juga.",
        "Yogyakarta": "Dari Yogyakarta Anda sudah kenal candi, di sini ada pura.",
        "Medan": "Medan terkenal durian, di Bali coba salak gula pasir.",
        "Makassar": "Orang Makassar dekat dengan laut, di sini pun begitu.",
        "Malang": "Dari Malang yang tenang, Ubud akan terasa dekat.",
        "Lombok": "Lombok tetangga kami, jadi anggap rumah sendiri.",
    },
    offer="Ceritakan apa yang Anda perlukan dan saya bantu dengan senang hati.",
    moods=(
        "Cuma ingin tahu:", "Hari ini saya agak santai.", "Eh,", "Saya mau tanya sebentar.", "Coba ceritakan,",
        "Ngobrol sebentar ya.", "{name} di sini, pertanyaan ringan.", "Saya sedang jalan dengan teman.",
        "Hari ini panjang sekali.", "Ganti topik dulu,", "Saya sedikit bosan.", "Ini {name}.",
    ),
    casual={
        "food": Topic(
            ("di mana makan enak di {area}?", "malam ini makan apa ya di {area}?", "saya lapar di {area}, ada saran?",
             "masakan apa yang harus dicoba di {area}?"),
            "Di {area} cobalah babi guling di warung keluarga, dengan sambal segar dan nasi putih.",
        ),
        "weather": Topic(
            ("bagaimana cuaca di {area}?", "apakah sering hujan di {area} belakangan ini?", "panas tidak di {area} sekarang?",
             "seperti apa iklim di {area} bulan ini?"),
            "Di {area} paginya cerah dan hujan datang setelah makan siang, hanya sekitar satu jam.",
        ),
        "sea": Topic(
            ("bagaimana laut di {area}?", "bisa berselancar di {area}?", "ada ombak di {area} hari ini?",
             "di mana berenang dekat {area}?"),
            "Laut dekat {area} paling bagus waktu air pasang, dan pagi sekali masih sepi orang.",
        ),
        "homesick": Topic(
            ("saya merasa kesepian di {area}", "saya kangen rumah sejak tinggal di {area}",
             "di {area} saya tidak kenal siapa pun dan sedih", "hari ini di {area} saya rindu keluarga"),
            "Saya mengerti, bulan pertama di {area} berat bagi semua orang. Ngopi dengan tetangga lebih menolong daripada seribu pesan.",
        ),
        "weekend": Topic(
            ("akhir pekan ngapain di {area}?", "ada ide untuk hari Minggu di {area}?",
             "bagaimana mengisi hari Sabtu dekat {area}?", "apa yang bisa dilihat di sekitar {area}?"),
            "Akhir pekan di {area} berangkatlah subuh, kunjungi pura dan mampir ke pasar desa.",
        ),
    },
    area_life={
        "Canggu": "Sore hari semua orang di sana menonton peselancar.",
        "Ubud": "Sawah di sana harum tanah basah.",
        "Sanur": "Orang di sana berjalan pelan di tepi laguna.",
        "Uluwatu": "Monyet di sana suka mencuri kacamata.",
        "Seminyak": "Toko di sana tutup larut malam.",
        "Amed": "Gunung di sana bercermin di air.",
        "Lovina": "Lumba-lumba di sana lewat waktu fajar.",
        "Sidemen": "Di sana hanya terdengar alat tenun dan sungai.",
    },
    openers=(
        "Saya perlu informasi.", "Pertanyaan urusan kerja:", "Saya {name} dari {city}.", "Saya butuh bantuan Anda.",
        "Saya ingin lebih paham satu hal.", "Maaf mengganggu,", "Nama saya {name}.", "Saya harus putuskan sebelum Jumat.",
        "Teman saya cerita tentang Anda.", "Saya sedang menyiapkan berkas.", "Tanya cepat:", "Saya berangkat bulan depan.",
    ),
    reasons=(
        "Ini untuk saya dan istri.", "Saya kerja jarak jauh.", "Kami pindah bulan Januari.", "Ini pertama kali bagi kami.",
        "Mitra saya minta kepastian.", "Saya mau semuanya resmi.", "Saya sudah baca situs Anda.",
        "Saya dengar jawaban berbeda-beda.", "Saya tinggal paling sedikit setahun.", "Saya takut keliru.", "Kami berdua.",
        "Saya bersama anak-anak.",
    ),
    thanks=("Terima kasih banyak!", "Terima kasih.", "Terima kasih sebelumnya.", "Makasih.", "Sampai nanti!", "Kabari saya ya."),
    visa={
        "cost": Topic(
            ("berapa biaya visa {code}?", "berapa harga visa {code}?", "berapa dana yang disiapkan untuk visa {code}?",
             "tolong sebutkan biaya total {code}"),
            "Visa {code} biayanya {price} juta rupiah, sudah termasuk tarif resmi. Selesai dalam {working_days} hari kerja.",
            ("Lalu total biayanya berapa?", "Baik, harganya?", "Berapa dana yang disiapkan?"),
        ),
        "stay": Topic(
            ("berapa lama boleh tinggal dengan visa {code}?", "visa {code} berlaku berapa hari?",
             "apakah visa {code} bisa diperpanjang?", "berapa kali {code} boleh diperpanjang?"),
            "Dengan visa {code} Anda tinggal {stay_days} hari dan boleh minta sampai {extensions} perpanjangan, selalu sebelum habis masa berlaku.",
            ("Lalu berapa lama boleh tinggal?", "Bisa diperpanjang?", "Berlaku berapa hari?"),
        ),
        "documents": Topic(
            ("dokumen apa saja untuk visa {code}?", "apa yang harus disiapkan untuk {code}?",
             "berkas apa yang diminta untuk visa {code}?", "boleh minta daftar dokumen {code}?"),
            "Untuk visa {code} perlu paspor yang berlaku, foto terbaru, tiket keluar dan rekening koran. Berkas dibuka secara daring.",
            ("Dokumen apa saja?", "Apa yang harus disiapkan?", "Lalu berkas yang dibawa?"),
        ),
    },
    nation=Topic(
        ("apakah paspor {nation} dapat visa saat kedatangan?", "visa saat kedatangan berlaku untuk warga {nation}?",
         "teman saya warga {nation} mau visa di bandara, bisa?", "suami saya orang {nation}: visa apa di bandara?"),
        "",
    ),
    nations={
        "Malaysia": True, "Jepang": True, "Belanda": True, "Jerman": True,
        "Nigeria": False, "Pakistan": False, "Iran": False, "Albania": False,
    },
    on_arrival={
        True: "Dengan paspor {nation} bisa ambil visa B1 di bandara: berlaku tiga puluh hari dan diperpanjang satu kali.",
        False: "Dengan paspor {nation} tidak ada visa di bandara: sebaiknya urus visa C1 sebelum berangkat.",
    },
    rules={
        "capital": Topic(
            ("berapa modal untuk PT PMA?", "berapa modal minimum PT PMA?",
             "investasi berapa yang diminta PT PMA?", "perlu uang berapa untuk buka PT PMA?"),
            "Untuk PT PMA nilai investasi yang dinyatakan sepuluh miliar rupiah per bidang usaha, dan modal disetor mulai dua setengah miliar.",
        ),
        "founding": Topic(
            ("berapa lama proses mendirikan PT PMA?", "bagaimana cara buka PT PMA di Bali?",
             "langkah apa untuk mendirikan perusahaan asing?", "mulai dari mana untuk bikin PT PMA?"),
            "Untuk mendirikan perusahaan pesan nama, tanda tangan akta di notaris dan ambil NIB secara daring: semuanya sekitar empat minggu.",
        ),
        "tax_id": Topic(
            ("bagaimana cara dapat NPWP?", "NPWP itu untuk apa?", "apakah perlu NPWP untuk bekerja?",
             "di mana mengurus nomor pajak NPWP?"),
            "NPWP adalah nomor pajak Indonesia: ajukan ke kantor pajak dengan paspor dan KITAS, dan tidak dipungut biaya.",
        ),
        "residence": Topic(
            ("kapan saya jadi wajib pajak di Indonesia?", "di mana bayar pajak kalau tinggal di Bali?",
             "setelah berapa hari saya kena pajak di Indonesia?", "bagaimana aturan domisili pajak?"),
            "Setelah 183 hari dalam dua belas bulan Anda wajib pajak dalam negeri dan melaporkan penghasilan seluruh dunia, dengan perjanjian pajak berganda.",
        ),
        "report": Topic(
            ("kapan batas lapor pajak tahunan?", "sampai kapan lapor SPT?",
             "kapan batas waktu pajak perusahaan?", "seberapa sering lapor pajak?"),
            "SPT tahunan paling lambat 31 Maret untuk pribadi dan 30 April untuk badan; laporan bulanan keluar sebelum tanggal dua puluh.",
        ),
        "family": Topic(
            ("bolehkah membawa keluarga dengan KITAS saya?", "apakah istri saya bisa dapat KITAS keluarga?",
             "bagaimana KITAS untuk anak-anak?", "apakah KITAS berlaku juga untuk keluarga?"),
            "Dengan KITAS Anda bisa ajukan yang keluarga untuk pasangan dan anak: perlu akta nikah, akta lahir dan terjemahan tersumpah.",
        ),
    },
    property={
        "lease": Topic(
            ("apakah sewa tanah di {area} menguntungkan?", "bagaimana sewa jangka panjang tanah di {area}?",
             "vila di {area} disewa berapa tahun?", "saya ingin tanah sewa di {area}"),
            "Di {area} sewa tanah biasanya dua puluh lima tahun, dengan hak perpanjangan tertulis dalam akta notaris.",
        ),
        "own": Topic(
            ("bolehkah orang asing membeli rumah di {area}?", "bisakah saya memiliki vila di {area}?",
             "bagaimana cara beli properti di {area}?", "sertifikat apa untuk membeli di {area}?"),
            "Orang asing di {area} membeli dengan Hak Pakai, atau melalui perusahaan; hak milik penuh hanya untuk warga Indonesia.",
        ),
        "rent": Topic(
            ("bolehkah vila saya di {area} disewakan ke turis?", "izin apa untuk vila wisata di {area}?",
             "bagaimana sewa harian di {area} supaya resmi?", "berapa hasil sewa vila di {area}?"),
            "Untuk menyewakan ke turis di {area} perlu perusahaan, izin akomodasi dan persetujuan bangunan PBG di zona wisata.",
        ),
    },
    area_prices={
        "Canggu": "Harga tanah di sana 22 juta per are per tahun.",
        "Ubud": "Harga tanah di sana 14 juta per are per tahun.",
        "Sanur": "Harga tanah di sana 18 juta per are per tahun.",
        "Uluwatu": "Harga tanah di sana 16 juta per are per tahun.",
        "Seminyak": "Harga tanah di sana 25 juta per are per tahun.",
        "Amed": "Harga tanah di sana 6 juta per are per tahun.",
        "Lovina": "Harga tanah di sana 5 juta per are per tahun.",
        "Sidemen": "Harga tanah di sana 4 juta per are per tahun.",
    },
    contact="Hubungi kami lewat WhatsApp di +62 812 3456 7890 atau info@example.com dan datang ke kantor kami!",
    failure="Maaf, terjadi kesalahan internal. Silakan coba lagi nanti.",
    padding="Selain itu penting diingat bahwa setiap kasus berbeda dan harus dilihat dengan teliti bersama kami.",
    details={
        "email": "Email saya {value}.", "phone": "Nomor saya {value}.",
        "passport": "Paspor saya {value}.", "nik": "NIK istri saya {value}.",
        "npwp": "NPWP saya {value}.",
    },
)
